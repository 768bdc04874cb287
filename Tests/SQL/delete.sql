-- DELETE FROM … WHERE.

CREATE DATABASE sql_delete;
CREATE TABLE sql_delete.t (id UInt32, n Nullable(Int32), s String)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_delete.t SELECT number, number * 10, toString(number) FROM numbers(1, 9);

DELETE FROM sql_delete.t WHERE id = 1;
--# 1
DELETE FROM sql_delete.t WHERE id = 1;
--# 0
DELETE FROM sql_delete.t WHERE n IN (20, 30) AND s != '3';
--# 1
DELETE FROM sql_delete.t WHERE 0;
--# 0
SELECT groupArray(id) FROM (SELECT id FROM sql_delete.t ORDER BY id);
--> [3,4,5,6,7,8,9]
delete from sql_delete.t where id = 3;
--# 1
DELETE /* FROM nosuch */ FROM `sql_delete`."t" -- WHERE 1
WHERE id = 4 # end
;
--# 1
DELETE FROM sql_delete.t WHERE (id = 5) SETTINGS max_threads = 1;
--# 1
DELETE FROM sql_delete.t WHERE s = 'WHERE 1;';
--# 0
SELECT groupArray(id) FROM (SELECT id FROM sql_delete.t ORDER BY id);
--> [6,7,8,9]

-- The WHERE is required.

DELETE FROM sql_delete.t;
--! WHERE 1
DELETE FROM sql_delete.t SETTINGS max_threads = 1;
--! WHERE 1
DELETE FROM sql_delete.t WHERE;
--!
DELETE sql_delete.t WHERE 1;
--!
SELECT count() FROM sql_delete.t;
--> 4

-- Deleted keys can come back, and go again.

INSERT INTO sql_delete.t VALUES (6, 1, 'again'), (1, 1, 'back');
SELECT * FROM sql_delete.t ORDER BY id;
--> 1	1	back
--> 6	1	again
--> 7	70	7
--> 8	80	8
--> 9	90	9
DELETE FROM sql_delete.t WHERE id IN (1, 6);
--# 2
UPSERT INTO sql_delete.t VALUES (1, 2, 'back again');
DELETE FROM sql_delete.t WHERE s LIKE 'back%';
--# 1
UPDATE sql_delete.t SET s = 'no ghosts' WHERE id IN (1, 2, 3, 6);
--# 0
SELECT count() FROM sql_delete.t WHERE id < 7;
--> 0

-- Conditions with NULL take only what is true.

UPDATE sql_delete.t SET n = NULL WHERE id = 7;
DELETE FROM sql_delete.t WHERE n = NULL;
--# 0
DELETE FROM sql_delete.t WHERE n != 80;
--# 1
SELECT id FROM sql_delete.t ORDER BY id;
--> 7
--> 8
DELETE FROM sql_delete.t WHERE n IS NULL;
--# 1
DELETE FROM sql_delete.t WHERE NULL;
--# 0
SELECT id FROM sql_delete.t;
--> 8

-- Subqueries, of others and of the table itself.

INSERT INTO sql_delete.t SELECT number, number * 10, toString(number) FROM numbers(1, 9);
CREATE TABLE sql_delete.gone (id UInt32) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_delete.gone VALUES (1), (2), (77);
DELETE FROM sql_delete.t WHERE id IN (SELECT id FROM sql_delete.gone);
--# 2
DELETE FROM sql_delete.t WHERE id = (SELECT max(id) FROM sql_delete.t);
--# 1
DELETE FROM sql_delete.t WHERE n < (SELECT avg(n) FROM sql_delete.t);
--# 3
SELECT id FROM sql_delete.t ORDER BY id;
--> 6
--> 7
--> 8

-- Errors change nothing.

DELETE FROM sql_delete.t WHERE nosuch = 1;
--! nosuch
DELETE FROM sql_delete.t WHERE throwIf(id = 7, 'thrown');
--! thrown
DELETE FROM sql_delete.t WHERE _INTERNAL_VERSION > 0;
--! _INTERNAL_VERSION
DELETE FROM sql_delete.nosuch WHERE 1;
--! nosuch
SELECT count() FROM sql_delete.t;
--> 3
DELETE FROM sql_delete.t WHERE 1;
--# 3
SELECT count() FROM sql_delete.t;
--> 0
DELETE FROM sql_delete.t WHERE 1;
--# 0

-- Many rows.

INSERT INTO sql_delete.t SELECT number, number, 'many' FROM numbers(200000);
DELETE FROM sql_delete.t WHERE id % 2 = 0;
--# 100000
SELECT count(), sum(id), countIf(id % 2 = 0), min(id), max(id) FROM sql_delete.t;
--> 100000	10000000000	0	1	199999
DELETE FROM sql_delete.t WHERE id BETWEEN 1000 AND 189999;
--# 94500
INSERT INTO sql_delete.t SELECT number, -1, 'new' FROM numbers(500, 1000);
SELECT s, count(), sum(id) FROM sql_delete.t GROUP BY s ORDER BY s;
--> many	5250	975062500
--> new	1000	999500
DELETE FROM sql_delete.t WHERE true;
--# 6250
SELECT count(), sum(id) FROM sql_delete.t;
--> 0	0

DROP DATABASE sql_delete;
