SELECT {{ params.dya }};
SELECT {{ steps.brokn.value }};
