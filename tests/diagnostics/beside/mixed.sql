DROP INDEX orders_by_day;
CREATE INDEX CONCURRENTLY orders_by_day ON orders (day);
