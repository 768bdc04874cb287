-- UPSERT: the same as INSERT, but only for mutable tables.

CREATE DATABASE sql_upsert;
CREATE TABLE sql_upsert.t (id UInt32, n Nullable(Int32), s String DEFAULT 'none')
  ENGINE = MutableMergeTree ORDER BY id;
CREATE TABLE sql_upsert.plain (id UInt32, n Int32) ENGINE = MergeTree ORDER BY id;

UPSERT INTO sql_upsert.t VALUES (1, 1, 'a'), (2, 2, 'b');
--# 2
UPSERT INTO sql_upsert.t VALUES (2, 3, 'c'), (3, 3, 'd');
--# 2
SELECT * FROM sql_upsert.t ORDER BY id;
--> 1	1	a
--> 2	3	c
--> 3	3	d
upsert into sql_upsert.t (s, id) values ('lower case', 3);
Upsert Into Table sql_upsert.t (id) Values (1);
SELECT * FROM sql_upsert.t ORDER BY id;
--> 1	\N	none
--> 2	3	c
--> 3	\N	lower case
UPSERT INTO sql_upsert.t VALUES (4, 1, 'x'), (4, 2, 'y'), (4, 3, 'z');
SELECT * FROM sql_upsert.t WHERE id = 4;
--> 4	3	z
UPSERT INTO sql_upsert.t SELECT id, id * 10, concat('was ', s) FROM sql_upsert.t WHERE id > 2;
--# 2
UPSERT INTO sql_upsert.t (id, s) WITH 5 AS x SELECT x, 'with';
UPSERT INTO sql_upsert.t (id, s) SELECT 6, 'select' SETTINGS max_threads = 1;
UPSERT INTO sql_upsert.t (id, s) (SELECT 7, 'brackets');
UPSERT INTO sql_upsert.t (* EXCEPT(n, s)) VALUES (8);
UPSERT /* INTO sql_upsert.plain */ INTO -- comment
  `sql_upsert`."t" (id, n) VALUES (9, -9);
UPSERT INTO sql_upsert.t (id, n) VALUES (10, (SELECT max(id) FROM sql_upsert.t WHERE id < 5));
SELECT * FROM sql_upsert.t ORDER BY id;
--> 1	\N	none
--> 2	3	c
--> 3	30	was lower case
--> 4	40	was z
--> 5	\N	with
--> 6	\N	select
--> 7	\N	brackets
--> 8	\N	none
--> 9	-9	none
--> 10	4	none

-- After DELETE a key begins anew.

DELETE FROM sql_upsert.t WHERE id > 2;
--# 8
UPSERT INTO sql_upsert.t (id, s) VALUES (3, 'again');
SELECT * FROM sql_upsert.t ORDER BY id;
--> 1	\N	none
--> 2	3	c
--> 3	\N	again

-- In turns.

UPSERT INTO sql_upsert.t VALUES (1, 1, 'first');
INSERT INTO sql_upsert.t VALUES (1, 2, 'second');
UPDATE sql_upsert.t SET n = 3 WHERE id = 1;
UPSERT INTO sql_upsert.t VALUES (1, 4, 'fourth');
DELETE FROM sql_upsert.t WHERE id = 1;
SELECT count() FROM sql_upsert.t WHERE id = 1;
--> 0
UPSERT INTO sql_upsert.t VALUES (1, 5, 'fifth');
SELECT * FROM sql_upsert.t WHERE id = 1;
--> 1	5	fifth
UPSERT INTO sql_upsert.t SELECT number, number, 'many' FROM numbers(70000);
--# 70000
UPSERT INTO sql_upsert.t SELECT number * 7, 1, 'seven' FROM numbers(10000);
--# 10000
SELECT s, count(), sum(n) FROM sql_upsert.t GROUP BY s ORDER BY s;
--> many	60000	2100000000
--> seven	10000	10000

-- What is refused.

UPSERT INTO sql_upsert.plain VALUES (1, 1);
--!
UPSERT INTO sql_upsert.nosuch VALUES (1, 1);
--!
UPSERT INTO sql_upsert.t VALUES (1);
--!
UPSERT INTO sql_upsert.t (id, nosuch) VALUES (1, 1);
--! nosuch
UPSERT INTO sql_upsert.t (id, _INTERNAL_VERSION) VALUES (1, 1);
--! _INTERNAL_VERSION
UPSERT INTO sql_upsert.t SELECT number, throwIf(number = 250000, 'half-way'), 's'
  FROM numbers(300000);
--! half-way
UPSERT sql_upsert.t VALUES (1, 1, '');
--!
UPSERT;
--!
SELECT count() FROM sql_upsert.t;
--> 70000
SELECT count() FROM sql_upsert.plain;
--> 0
-- The word is free for names.
SELECT 1 AS upsert;
--> 1

DROP DATABASE sql_upsert;
