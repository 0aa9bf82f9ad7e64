-- The orders of a day.
SELECT * FROM orders WHERE day = {{ params.dya }};
SELECT count(* FROM orders;
SELECT * FROM {{ steps.nowhere.value | relation }};
VACUUM;
