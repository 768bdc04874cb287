-- SELECT sees the living newest rows, whatever the form of the query.

CREATE DATABASE sql_select;
CREATE TABLE sql_select.t (id UInt32, n Int64, s String) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_select.t SELECT number, number, concat('s', toString(number % 3)) FROM numbers(20);
UPDATE sql_select.t SET n = n * 100 WHERE id >= 15;
DELETE FROM sql_select.t WHERE id IN (3, 4, 5);
INSERT INTO sql_select.t VALUES (3, 33, 'new'), (20, 20, 'new');

SELECT count() FROM sql_select.t;
--> 19
SELECT count(*), count(1), count(id), count(s) FROM sql_select.t;
--> 19	19	19	19
SELECT count() FROM sql_select.t WHERE id = 4;
--> 0
SELECT count() FROM sql_select.t WHERE id > 3 AND id < 8;
--> 2
SELECT sum(n), min(id), max(id), uniqExact(id), avg(n) FROM sql_select.t;
--> 8646	0	20	19	455.05263157894734
SELECT * FROM sql_select.t WHERE id BETWEEN 2 AND 7 ORDER BY id;
--> 2	2	s2
--> 3	33	new
--> 6	6	s0
--> 7	7	s1
SELECT t.* FROM sql_select.t AS t WHERE t.id = 3;
--> 3	33	new
SELECT * EXCEPT(s) FROM sql_select.t WHERE id = 20;
--> 20	20
SELECT * REPLACE(n + 1 AS n) FROM sql_select.t WHERE id = 20;
--> 20	21	new
SELECT * APPLY(toString) FROM sql_select.t WHERE id = 20;
--> 20	20	new
SELECT COLUMNS('.*') FROM sql_select.t WHERE id = 20;
--> 20	20	new
SELECT COLUMNS('^_') FROM sql_select.t WHERE id = 20;
--!
SELECT sql_select.t.id, t.n FROM sql_select.t WHERE s = 'new' ORDER BY id;
--> 3	33
--> 20	20
FROM sql_select.t SELECT id WHERE n > 1800 ORDER BY id;
--> 19
SELECT id FROM sql_select.t WHERE n = 3;
SELECT id FROM sql_select.t WHERE n = 1500 OR s = 'new' ORDER BY id DESC;
--> 20
--> 15
--> 3
SELECT id FROM sql_select.t ORDER BY n DESC, id LIMIT 3;
--> 19
--> 18
--> 17
SELECT id FROM sql_select.t ORDER BY id LIMIT 3 OFFSET 2;
--> 2
--> 3
--> 6
SELECT id FROM sql_select.t ORDER BY id DESC LIMIT 2;
--> 20
--> 19
SELECT s, id FROM sql_select.t ORDER BY s, id LIMIT 1 BY s;
--> new	3
--> s0	0
--> s1	1
--> s2	2
SELECT s, count(), sum(n) FROM sql_select.t GROUP BY s ORDER BY s;
--> new	2	53
--> s0	6	3327
--> s1	6	3531
--> s2	5	1735
SELECT s, sum(n) AS total FROM sql_select.t GROUP BY s HAVING total > 3000 ORDER BY total;
--> s0	3327
--> s1	3531
SELECT s, count() FROM sql_select.t GROUP BY s WITH TOTALS ORDER BY s LIMIT 1;
--~ new	2
SELECT s, count() FROM sql_select.t GROUP BY ROLLUP(s) ORDER BY s, count();
--> 	19
--> new	2
--> s0	6
--> s1	6
--> s2	5
SELECT DISTINCT s FROM sql_select.t ORDER BY s;
--> new
--> s0
--> s1
--> s2
SELECT id, row_number() OVER (PARTITION BY s ORDER BY id) AS r FROM sql_select.t
  WHERE s IN ('new', 's2') ORDER BY s, id LIMIT 4;
--> 3	1
--> 20	2
--> 2	1
--> 8	2
SELECT id FROM sql_select.t QUALIFY row_number() OVER (ORDER BY n DESC) <= 2 ORDER BY id;
--> 18
--> 19
SELECT groupArray(id) FROM (SELECT id FROM sql_select.t WHERE id < 8 ORDER BY id);
--> [0,1,2,3,6,7]
SELECT id, x FROM sql_select.t ARRAY JOIN [1, 2] AS x WHERE id = 3 ORDER BY x;
--> 3	1
--> 3	2

-- CTEs, subqueries, UNION, INTERSECT, EXCEPT, IN, EXISTS.

WITH young AS (SELECT * FROM sql_select.t WHERE n >= 1500) SELECT count(), min(id) FROM young;
--> 5	15
WITH a AS (SELECT id FROM sql_select.t WHERE id < 4), b AS (SELECT id FROM a WHERE id > 1)
  SELECT * FROM b ORDER BY id;
--> 2
--> 3
WITH (SELECT max(n) FROM sql_select.t) AS most SELECT id FROM sql_select.t WHERE n = most;
--> 19
WITH RECURSIVE r AS (
  SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE x < (SELECT count() FROM sql_select.t))
  SELECT count() FROM r;
--> 19
SELECT * FROM (SELECT * FROM (SELECT * FROM sql_select.t) WHERE id = 3);
--> 3	33	new
SELECT id FROM (SELECT id FROM sql_select.t WHERE id < 3
  UNION ALL SELECT id FROM sql_select.t WHERE id = 3) ORDER BY id;
--> 0
--> 1
--> 2
--> 3
SELECT count() FROM (SELECT s FROM sql_select.t UNION DISTINCT SELECT s FROM sql_select.t);
--> 4
SELECT id FROM (SELECT id FROM sql_select.t WHERE id < 5
  EXCEPT SELECT id FROM sql_select.t WHERE n = 33) ORDER BY id;
--> 0
--> 1
--> 2
SELECT id FROM (SELECT id FROM sql_select.t INTERSECT SELECT number AS id FROM numbers(5))
  ORDER BY id;
--> 0
--> 1
--> 2
--> 3
(SELECT count() FROM sql_select.t);
--> 19
SELECT number FROM numbers(8) WHERE number NOT IN (SELECT id FROM sql_select.t) ORDER BY number;
--> 4
--> 5
SELECT number FROM numbers(8) WHERE number GLOBAL IN sql_select.u;
--!
SELECT EXISTS(SELECT 1 FROM sql_select.t WHERE id = 4), EXISTS(SELECT 1 FROM sql_select.t);
--> 0	1
SELECT (SELECT count() FROM sql_select.t), (SELECT max(id) FROM sql_select.t);
--> 19	20
SELECT id FROM sql_select.t AS o
  WHERE n > (SELECT avg(n) FROM sql_select.t AS i WHERE i.s = o.s) AND s = 's0' ORDER BY id;
--> 15
--> 18
SELECT (id, n) IN ((3, 33)) AS found, count() FROM sql_select.t GROUP BY found ORDER BY found;
--> 0	18
--> 1	1
SELECT count() FROM sql_select.t WHERE (id, s) IN (SELECT id, s FROM sql_select.t WHERE s = 'new');
--> 2
SELECT count() FROM sql_select.t WHERE id IN (SELECT id FROM sql_select.t WHERE n > 1000) SETTINGS
  max_threads = 1, max_block_size = 3;
--> 5

-- What goes beyond the columns.

SELECT _INTERNAL_VERSION FROM sql_select.t;
--! _INTERNAL_VERSION
SELECT id FROM sql_select.t WHERE _INTERNAL_DELMARK = 0;
--! _INTERNAL_DELMARK
SELECT * FROM sql_select.nosuch;
--! nosuch
SELECT nosuch FROM sql_select.t;
--! nosuch
EXPLAIN SYNTAX SELECT id FROM sql_select.t;
--~ sql_select.t
EXPLAIN AST SELECT id FROM sql_select.t;
--~ Select
EXPLAIN SELECT id FROM sql_select.t;
--~
SELECT count() > 0 FROM (EXPLAIN PIPELINE SELECT * FROM sql_select.t);
--> 1
SELECT sum(n) FROM remote('127.0.0.1', sql_select, nosuch);
--!
SELECT sum(n) FROM merge('sql_select', '^nosuch$');
--!
SELECT * FROM viewIfPermitted(SELECT id FROM sql_select.t WHERE id = 3 ELSE null('id UInt32'));
--> 3
SELECT * FROM view(SELECT id FROM sql_select.t WHERE id = 3);
--> 3
SELECT count() FROM numbers(toUInt64(assumeNotNull((SELECT count() FROM sql_select.t))));
--> 19

-- Parameterised text, casts, and words in strings.

SELECT id::String, '3'::UInt32 = id FROM sql_select.t WHERE id = '3'::UInt32;
--> 3	1
SELECT 'UPDATE sql_select.t SET n = 1 WHERE 1', id FROM sql_select.t WHERE id = 3;
--> UPDATE sql_select.t SET n = 1 WHERE 1	3
SELECT 'SELRAW', "id" FROM "sql_select"."t" WHERE `id` = 3;
--> SELRAW	3

-- The empty table.

TRUNCATE TABLE sql_select.t;
SELECT * FROM sql_select.t;
SELECT count(), sum(n), max(id) FROM sql_select.t;
--> 0	0	0
SELECT id FROM sql_select.t ORDER BY id LIMIT 1;
SELECT s, count() FROM sql_select.t GROUP BY s;
INSERT INTO sql_select.t VALUES (1, 1, 'x');
DELETE FROM sql_select.t WHERE 1;
SELECT count(), sum(n), max(id) FROM sql_select.t;
--> 0	0	0
SELECT any(s) FROM sql_select.t;
--> 

-- Granules and ranges: conditions on the key find the newest rows in the midst of many.

INSERT INTO sql_select.t SELECT number, number, 'old' FROM numbers(100000);
UPDATE sql_select.t SET n = -id WHERE id % 1000 = 7;
DELETE FROM sql_select.t WHERE id % 1000 = 8;
SELECT id, n FROM sql_select.t WHERE id BETWEEN 50005 AND 50009 ORDER BY id;
--> 50005	50005
--> 50006	50006
--> 50007	-50007
--> 50009	50009
SELECT n FROM sql_select.t WHERE id = 99007;
--> -99007
SELECT count() FROM sql_select.t WHERE id = 99008;
--> 0
SELECT count() FROM sql_select.t WHERE n < 0;
--> 100
SELECT count() FROM sql_select.t WHERE n < 0 AND id < 10000;
--> 10
SELECT id FROM sql_select.t WHERE id IN (1007, 1008, 1009) ORDER BY id;
--> 1007
--> 1009
SELECT id, n FROM sql_select.t ORDER BY id DESC LIMIT 2;
--> 99999	99999
--> 99998	99998
SELECT id, n FROM sql_select.t ORDER BY n LIMIT 2;
--> 99007	-99007
--> 98007	-98007
SELECT count(), sum(n), sum(id) FROM sql_select.t;
--> 99900	4985097800	4994999200

DROP DATABASE sql_select;
