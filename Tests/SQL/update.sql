-- UPDATE … SET … WHERE of ordinary columns.

CREATE DATABASE sql_update;
CREATE TABLE sql_update.t (id UInt32, n Nullable(Int32), s String DEFAULT 'none', f Float64)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_update.t SELECT number, number * 10, toString(number), number / 2 FROM numbers(1,
  5);

UPDATE sql_update.t SET n = 0 WHERE id = 1;
--# 1
UPDATE sql_update.t SET n = n + 1, s = 'both' WHERE id IN (2, 3);
--# 2
UPDATE sql_update.t SET n = 1 WHERE id = 99;
--# 0
UPDATE sql_update.t SET s = 'never' WHERE 0;
--# 0
UPDATE sql_update.t SET n = NULL WHERE id = 5;
--# 1
SELECT * FROM sql_update.t ORDER BY id;
--> 1	0	1	0.5
--> 2	21	both	1
--> 3	31	both	1.5
--> 4	40	4	2
--> 5	\N	5	2.5
UPDATE sql_update.t SET f = -f WHERE 1;
--# 5
UPDATE sql_update.t SET f = f * 2 WHERE true;
--# 5
SELECT id, f FROM sql_update.t ORDER BY id;
--> 1	-1
--> 2	-2
--> 3	-3
--> 4	-4
--> 5	-5

-- The WHERE is required.

UPDATE sql_update.t SET n = 1;
--! WHERE 1
UPDATE sql_update.t SET n = 1 SETTINGS max_threads = 1;
--! WHERE 1
UPDATE sql_update.t SET n = (SELECT max(id) FROM sql_update.t WHERE 1);
--! WHERE 1
UPDATE sql_update.t WHERE 1;
--!
UPDATE sql_update.t SET WHERE 1;
--!
SELECT sum(n) FROM sql_update.t;
--> 92

-- All expressions see the row as it was.

UPDATE sql_update.t SET n = toInt32(f), f = n WHERE id = 4;
SELECT * FROM sql_update.t WHERE id = 4;
--> 4	-4	4	40
UPDATE sql_update.t SET n = n + 1, s = toString(n) WHERE id = 4;
SELECT * FROM sql_update.t WHERE id = 4;
--> 4	-3	-4	40

-- Any expression: functions, CASE, casts, lambdas, IN, LIKE, BETWEEN, and subqueries.

UPDATE sql_update.t SET s = multiIf(n IS NULL, 'null', n > 20, 'big', 'small') WHERE 1;
SELECT id, s FROM sql_update.t ORDER BY id;
--> 1	small
--> 2	big
--> 3	big
--> 4	small
--> 5	null
UPDATE sql_update.t SET s = CASE WHEN id = 1 THEN 'one' WHEN id = 2 THEN 'two' ELSE s END
  WHERE s LIKE '%' AND id BETWEEN 1 AND 4 OR s IS NULL;
--# 4
UPDATE sql_update.t SET n = '77'::Int32 WHERE s = 'null' AND n IS NULL;
--# 1
UPDATE sql_update.t SET s = arrayStringConcat(arrayMap(x -> concat(x, '='), ['a', 'b']), ',')
  WHERE id = 3;
SELECT id, n, s FROM sql_update.t ORDER BY id;
--> 1	0	one
--> 2	21	two
--> 3	31	a=,b=
--> 4	-3	small
--> 5	77	null
CREATE TABLE sql_update.other (id UInt32, n Int32) ENGINE = MergeTree ORDER BY id;
INSERT INTO sql_update.other VALUES (1, 100), (2, 200), (7, 700);
UPDATE sql_update.t SET n = (SELECT max(n) FROM sql_update.other)
  WHERE id IN (SELECT id FROM sql_update.other);
--# 2
UPDATE sql_update.t SET s = 'not in' WHERE id NOT IN (SELECT id FROM sql_update.other);
--# 3
UPDATE sql_update.t SET n = (SELECT sum(n) FROM sql_update.t) WHERE id = 3;
UPDATE sql_update.t SET f = (SELECT count() FROM sql_update.t WHERE n > 100)
  WHERE n = (SELECT min(n) FROM sql_update.t);
--# 1
SELECT * FROM sql_update.t ORDER BY id;
--> 1	700	one	-1
--> 2	700	two	-2
--> 3	1505	not in	-3
--> 4	-3	not in	3
--> 5	77	not in	-5
UPDATE sql_update.t SET n = sql_update.other.n WHERE 1;
--!
UPDATE sql_update.t SET s = dictGet('nosuch', 's', id) WHERE 1;
--!

-- Words, names and layout.

update sql_update.t set n = 1 where id = 1;
--# 1
UPDATE `sql_update`.`t` SET `n` = 2 WHERE `id` = 1;
--# 1
UPDATE "sql_update"."t" SET "n" = 3 WHERE "id" = 1;
--# 1
UPDATE /* a */ sql_update.t -- b
SET n = 4, /* WHERE */ s = 'WHERE; SET' # c
WHERE id = 1 -- d
;
--# 1
UPDATE sql_update.t SET s = 'it''s \'WHERE\' ;' WHERE id = 2;
--# 1
UPDATE sql_update.t SET n = ((n)), s = $$heredoc WHERE$$ WHERE (id = 3);
--# 1
UPDATE sql_update.t SET n=n+1,s=concat(s,',',s) WHERE id=1;
--# 1
UPDATE sql_update.t SET n = 6 WHERE id = 1 SETTINGS max_threads = 1;
--# 1
SELECT id, n, s FROM sql_update.t WHERE id < 4 ORDER BY id;
--> 1	6	WHERE; SET,WHERE; SET
--> 2	700	it\'s \'WHERE\' ;
--> 3	1505	heredoc WHERE

-- Values that a type cannot hold follow the engine's conversion in INSERT … SELECT.

CREATE TABLE sql_update.small (id UInt8, a UInt8, b Int8, s String, d Date, e Enum8('x' = 1,
  'y' = 2),
  fs FixedString(2), lc LowCardinality(String), u Nullable(UInt8))
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_update.small VALUES (1, 1, 1, 's', '2024-01-01', 'x', 'fs', 'lc', 1);
UPDATE sql_update.small SET a = 257, b = 200, s = 5, d = '2024-12-31', e = 'y', lc = 7 WHERE 1;
SELECT * FROM sql_update.small;
--> 1	1	-56	5	2024-12-31	y	fs	7	1
UPDATE sql_update.small SET a = 1.9 WHERE 1;
SELECT a FROM sql_update.small;
--> 1
UPDATE sql_update.small SET a = '12', u = '13' WHERE 1;
SELECT a, u FROM sql_update.small;
--> 12	13
UPDATE sql_update.small SET a = 'twelve' WHERE 1;
--!
UPDATE sql_update.small SET e = 'z' WHERE 1;
--!
UPDATE sql_update.small SET fs = 'too long' WHERE 1;
--!
UPDATE sql_update.small SET a = NULL WHERE 1;
--! NULL
UPDATE sql_update.small SET s = NULL WHERE 1;
--! NULL
UPDATE sql_update.small SET a = u WHERE 1;
SELECT a FROM sql_update.small;
--> 13
UPDATE sql_update.small SET u = NULL WHERE 1;
UPDATE sql_update.small SET a = u WHERE 1;
--! NULL
SELECT a, u FROM sql_update.small;
--> 13	\N

-- Constraints hold.

CREATE TABLE sql_update.checked (id UInt32, n Int32, CONSTRAINT positive CHECK n > 0)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_update.checked VALUES (1, 1), (2, 2);
UPDATE sql_update.checked SET n = n - 1 WHERE 1;
--! positive
SELECT * FROM sql_update.checked ORDER BY id;
--> 1	1
--> 2	2

-- Defaults are computed once, when a row is inserted.

CREATE TABLE sql_update.defaults (id UInt32, n Int32, twice Int64 DEFAULT n * 2)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_update.defaults (id, n) VALUES (1, 1);
UPDATE sql_update.defaults SET n = 5 WHERE 1;
SELECT * FROM sql_update.defaults;
--> 1	5	2

-- Errors change nothing.

UPDATE sql_update.t SET nosuch = 1 WHERE 1;
--! nosuch
UPDATE sql_update.t SET n = nosuch WHERE 1;
--! nosuch
UPDATE sql_update.t SET n = 1 WHERE nosuch = 1;
--! nosuch
UPDATE sql_update.t SET n = 1, n = 2 WHERE 1;
--!
UPDATE sql_update.t SET n = throwIf(id = 3, 'thrown') WHERE 1;
--! thrown
UPDATE sql_update.t SET n = 1 WHERE throwIf(id = 3, 'thrown');
--! thrown
UPDATE sql_update.t SET _INTERNAL_VERSION = 1 WHERE 1;
--! _INTERNAL_VERSION
UPDATE sql_update.t SET _INTERNAL_DELMARK = 1 WHERE 1;
--! _INTERNAL_DELMARK
UPDATE sql_update.t SET n = 1 WHERE _INTERNAL_VERSION > 0;
--! _INTERNAL_VERSION
UPDATE sql_update.nosuch SET n = 1 WHERE 1;
--! nosuch
SELECT id, n FROM sql_update.t ORDER BY id;
--> 1	6
--> 2	700
--> 3	1505
--> 4	-3
--> 5	77

-- Many rows, and many times.

INSERT INTO sql_update.t SELECT number, number, 'many', 0 FROM numbers(150000);
UPDATE sql_update.t SET n = n + 1 WHERE id % 3 = 0;
--# 50000
UPDATE sql_update.t SET n = n + 1 WHERE id % 5 = 0;
--# 30000
UPDATE sql_update.t SET s = 'all' WHERE 1;
--# 150000
SELECT count(), sum(n), uniqExact(id), sum(id), any(s), uniqExact(s) FROM sql_update.t;
--> 150000	11250005000	150000	11249925000	all	1
UPDATE sql_update.t SET n = n + 1 WHERE id = 149999;
UPDATE sql_update.t SET n = n + 1 WHERE id = 149999;
UPDATE sql_update.t SET n = n + 1 WHERE id = 149999;
SELECT n FROM sql_update.t WHERE id = 149999;
--> 150002

DROP DATABASE sql_update;
