-- INSERT: an inserted row replaces the row of its key.

CREATE DATABASE sql_insert;
CREATE TABLE sql_insert.t (id UInt32, n Nullable(Int32), s String DEFAULT 'none')
  ENGINE = MutableMergeTree ORDER BY id;

INSERT INTO sql_insert.t VALUES (1, 10, 'one');
--# 1
INSERT INTO sql_insert.t VALUES (3, 30, 'three'), (2, 20, 'two');
--# 2
SELECT * FROM sql_insert.t ORDER BY id;
--> 1	10	one
--> 2	20	two
--> 3	30	three
INSERT INTO TABLE sql_insert.t VALUES (2, 21, 'two again');
SELECT * FROM sql_insert.t ORDER BY id;
--> 1	10	one
--> 2	21	two again
--> 3	30	three
INSERT INTO sql_insert.t VALUES (4, 1, 'a'), (4, 2, 'b'), (5, 1, 'a'), (4, 3, 'c'), (5, 2, 'b');
SELECT * FROM sql_insert.t WHERE id > 3 ORDER BY id;
--> 4	3	c
--> 5	2	b

-- Lists of columns, defaults and expressions.

INSERT INTO sql_insert.t (id) VALUES (6);
INSERT INTO sql_insert.t (s, id) VALUES ('seven', 7);
INSERT INTO sql_insert.t (id, n, s) VALUES (8, NULL, DEFAULT), (9, 3 * 4 + 1, upper('x') || 'y');
INSERT INTO sql_insert.t (`id`, "s") VALUES (10, 'it''s; a \'quote\'');
INSERT INTO sql_insert.t (* EXCEPT(n)) VALUES (11, 'eleven');
INSERT INTO sql_insert.t(id,n,s)VALUES(12,12,'tight');
SELECT * FROM sql_insert.t WHERE id > 5 ORDER BY id;
--> 6	\N	none
--> 7	\N	seven
--> 8	\N	none
--> 9	13	Xy
--> 10	\N	it\'s; a \'quote\'
--> 11	\N	eleven
--> 12	12	tight
-- A row is replaced as a whole: what the statement leaves out becomes the default.
INSERT INTO sql_insert.t (id) VALUES (12);
SELECT * FROM sql_insert.t WHERE id = 12;
--> 12	\N	none
-- Key columns have defaults too.
INSERT INTO sql_insert.t (s) VALUES ('key by default');
SELECT * FROM sql_insert.t WHERE id = 0;
--> 0	\N	key by default

-- Rows of a SELECT, also of the table itself.

TRUNCATE TABLE sql_insert.t;
INSERT INTO sql_insert.t SELECT number, number * 10, toString(number) FROM numbers(4);
--# 4
INSERT INTO sql_insert.t (id, s) SELECT id + 2, concat(s, '!') FROM sql_insert.t;
--# 4
SELECT * FROM sql_insert.t ORDER BY id;
--> 0	0	0
--> 1	10	1
--> 2	\N	0!
--> 3	\N	1!
--> 4	\N	2!
--> 5	\N	3!
INSERT INTO sql_insert.t WITH 7 AS x SELECT x, x, 'cte';
WITH 8 AS x INSERT INTO sql_insert.t SELECT x, x, 'before';
INSERT INTO sql_insert.t (id, n, s) (SELECT 9, 9, 'brackets');
INSERT INTO sql_insert.t SELECT 10, 10, 'a' UNION ALL SELECT 11, 11, 'b';
INSERT INTO sql_insert.t SELECT number, number, 'from' FROM numbers(12, 1);
SELECT * FROM sql_insert.t WHERE id > 5 ORDER BY id;
--> 7	7	cte
--> 8	8	before
--> 9	9	brackets
--> 10	10	a
--> 11	11	b
--> 12	12	from
INSERT INTO sql_insert.t SELECT id, 0, '' FROM sql_insert.t WHERE id > 1000;
--# 0
SELECT count() FROM sql_insert.t;
--> 12

-- The later of two equal keys wins in a SELECT too, over many blocks.

TRUNCATE TABLE sql_insert.t;
INSERT INTO sql_insert.t SELECT number % 100, number, '' FROM numbers(200000) ORDER BY number
  SETTINGS max_block_size = 1000, min_insert_block_size_rows = 1000;
SELECT count(), min(n), max(n), countIf(n = 199900 + id) FROM sql_insert.t;
--> 100	199900	199999	100
INSERT INTO sql_insert.t SELECT number % 100, number, '' FROM numbers(200000) ORDER BY number DESC;
SELECT count(), min(n), max(n), countIf(n = id) FROM sql_insert.t;
--> 100	0	99	100
INSERT INTO sql_insert.t SELECT number, number, 'many' FROM numbers(100000);
--# 100000
SELECT count(), sum(id), sum(n), uniqExact(id), min(s) FROM sql_insert.t;
--> 100000	4999950000	4999950000	100000	many
INSERT INTO sql_insert.t SELECT number * 2, -1, 'even' FROM numbers(50000);
--# 50000
SELECT s, count(), sum(n) FROM sql_insert.t GROUP BY s ORDER BY s;
--> even	50000	-50000
--> many	50000	2500000000
INSERT INTO sql_insert.t SELECT number + 99999, 1, 'over' FROM numbers(3);
SELECT * FROM sql_insert.t WHERE id > 99997 ORDER BY id;
--> 99998	-1	even
--> 99999	1	over
--> 100000	1	over
--> 100001	1	over

-- Settings of the statement.

INSERT INTO sql_insert.t SETTINGS async_insert = 1, wait_for_async_insert = 1 VALUES (200000, 1,
  'a');
SELECT s FROM sql_insert.t WHERE id = 200000;
--> a
INSERT INTO sql_insert.t (id, s) SETTINGS max_insert_threads = 2 VALUES (200001, 'b');
SELECT s FROM sql_insert.t WHERE id = 200001;
--> b
INSERT INTO sql_insert.t SELECT 200002, 1, 'c' SETTINGS max_threads = 1;
SELECT s FROM sql_insert.t WHERE id = 200002;
--> c
-- The very same rows a second time are no duplicates to be dropped.
INSERT INTO sql_insert.t VALUES (200003, 1, 'd');
DELETE FROM sql_insert.t WHERE id = 200003;
INSERT INTO sql_insert.t VALUES (200003, 1, 'd');
SELECT s FROM sql_insert.t WHERE id = 200003;
--> d

-- What fails changes nothing.

TRUNCATE TABLE sql_insert.t;
INSERT INTO sql_insert.t VALUES (1, 1, 'kept');
INSERT INTO sql_insert.t VALUES (1, 2);
--!
INSERT INTO sql_insert.t VALUES (1, 2, 'x'), ('word', 2, 'y');
--!
INSERT INTO sql_insert.t (id, nosuch) VALUES (1, 2);
--! nosuch
INSERT INTO sql_insert.t (id, id) VALUES (1, 2);
--!
INSERT INTO sql_insert.t SELECT 1, 2;
--!
INSERT INTO sql_insert.t SELECT 1, 2, 'x', 4;
--!
INSERT INTO sql_insert.t SELECT number, throwIf(number = 250000, 'half-way'), 'x'
  FROM numbers(300000);
--! half-way
INSERT INTO sql_insert.t SELECT throwIf(1, 'at once'), 1, '';
--! at once
INSERT INTO sql_insert.nosuch VALUES (1);
--! nosuch
INSERT INTO sql_insert.t;
--!
SELECT * FROM sql_insert.t;
--> 1	1	kept

-- Out of range: what the engine itself does in an INSERT.

INSERT INTO sql_insert.t (id, s) SELECT toUInt64(4294967296 + 5), 'wrapped';
SELECT id FROM sql_insert.t WHERE s = 'wrapped';
--> 5
INSERT INTO sql_insert.t (id, s) VALUES (NULL, 'null becomes the default');
SELECT id FROM sql_insert.t WHERE s LIKE 'null%';
--> 0

-- Plain and mutable tables as each other's source.

CREATE TABLE sql_insert.plain (id UInt32, n Int32) ENGINE = MergeTree ORDER BY id;
TRUNCATE TABLE sql_insert.t;
INSERT INTO sql_insert.plain VALUES (1, 1), (1, 2), (2, 3);
INSERT INTO sql_insert.t (id, n) SELECT id, n FROM sql_insert.plain ORDER BY n;
SELECT id, n FROM sql_insert.t ORDER BY id;
--> 1	2
--> 2	3
INSERT INTO sql_insert.plain SELECT id, n FROM sql_insert.t;
SELECT * FROM sql_insert.plain ORDER BY id, n;
--> 1	1
--> 1	2
--> 1	2
--> 2	3
--> 2	3

-- Names that look like something else.

CREATE TABLE sql_insert.`values` (`select` UInt32, `from` String)
  ENGINE = MutableMergeTree ORDER BY `select`;
INSERT INTO sql_insert.`values` (`from`, `select`) VALUES ('values (1)', 1), ('select', 1);
INSERT INTO sql_insert.values SELECT 2, 'FORMAT CSV';
SELECT * FROM sql_insert.`values` ORDER BY `select`;
--> 1	select
--> 2	FORMAT CSV

DROP DATABASE sql_insert;
