SELECT 1;
SELECT {{ params.password }};
