-- UPDATE of key columns: the old key disappears, and the new one overwrites what it meets.

CREATE DATABASE sql_key_updates;
CREATE TABLE sql_key_updates.t (id Int32, s String) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_key_updates.t VALUES (1, 'a'), (2, 'b'), (3, 'c');

UPDATE sql_key_updates.t SET id = 10 WHERE id = 1;
--# 1
SELECT * FROM sql_key_updates.t ORDER BY id;
--> 2	b
--> 3	c
--> 10	a
UPDATE sql_key_updates.t SET id = 3 WHERE id = 2;
--# 1
SELECT * FROM sql_key_updates.t ORDER BY id;
--> 3	b
--> 10	a
UPDATE sql_key_updates.t SET id = id + 1, s = concat(s, toString(id)) WHERE 1;
--# 2
SELECT * FROM sql_key_updates.t ORDER BY id;
--> 4	b3
--> 11	a10

-- New keys that are the old keys of other rows of the same statement.

TRUNCATE TABLE sql_key_updates.t;
INSERT INTO sql_key_updates.t SELECT number, toString(number) FROM numbers(1, 5);
UPDATE sql_key_updates.t SET id = id + 1 WHERE 1;
--# 5
SELECT * FROM sql_key_updates.t ORDER BY id;
--> 2	1
--> 3	2
--> 4	3
--> 5	4
--> 6	5
UPDATE sql_key_updates.t SET id = id - 1 WHERE 1;
--# 5
SELECT * FROM sql_key_updates.t ORDER BY id;
--> 1	1
--> 2	2
--> 3	3
--> 4	4
--> 5	5
UPDATE sql_key_updates.t SET id = 3 - id WHERE id IN (1, 2);
--# 2
SELECT * FROM sql_key_updates.t WHERE id < 3 ORDER BY id;
--> 1	2
--> 2	1
UPDATE sql_key_updates.t SET id = -id WHERE id > 2;
--# 3
SELECT * FROM sql_key_updates.t ORDER BY id;
--> -5	5
--> -4	4
--> -3	3
--> 1	2
--> 2	1

-- To itself: nothing is lost.

UPDATE sql_key_updates.t SET id = id WHERE 1;
--# 5
UPDATE sql_key_updates.t SET id = id, s = concat('=', s) WHERE id > 0;
--# 2
SELECT * FROM sql_key_updates.t ORDER BY id;
--> -5	5
--> -4	4
--> -3	3
--> 1	=2
--> 2	=1

-- All to one key: one row is left.

UPDATE sql_key_updates.t SET id = 7 WHERE id < 0;
--# 3
SELECT id, count(), any(s) IN ('3', '4', '5') FROM sql_key_updates.t GROUP BY id ORDER BY id;
--> 1	1	0
--> 2	1	0
--> 7	1	1

-- A freed key takes a new row.

INSERT INTO sql_key_updates.t VALUES (-3, 'new');
SELECT * FROM sql_key_updates.t WHERE id < 0;
--> -3	new
UPDATE sql_key_updates.t SET id = (SELECT max(id) + 1 FROM sql_key_updates.t) WHERE s = 'new';
SELECT * FROM sql_key_updates.t WHERE id = 8;
--> 8	new
UPDATE sql_key_updates.t SET id = NULL WHERE id = 8;
--! NULL
UPDATE sql_key_updates.t SET id = throwIf(s = 'new') WHERE 1;
--!
SELECT count() FROM sql_key_updates.t;
--> 4

-- A part of a key, and the columns of an expression in it.

CREATE TABLE sql_key_updates.wide (a UInt32, b String, ts DateTime('UTC'), n Int32)
  ENGINE = MutableMergeTree ORDER BY (a, b, toDate(ts));
INSERT INTO sql_key_updates.wide VALUES
  (1, 'x', '2024-01-01 10:00:00', 1), (1, 'y', '2024-01-01 10:00:00', 2),
  (2, 'x', '2024-01-01 10:00:00', 3);
UPDATE sql_key_updates.wide SET b = 'z' WHERE b = 'x';
--# 2
SELECT a, b, n FROM sql_key_updates.wide ORDER BY a, b;
--> 1	y	2
--> 1	z	1
--> 2	z	3
UPDATE sql_key_updates.wide SET a = 1, b = 'y' WHERE a = 2;
--# 1
SELECT a, b, n FROM sql_key_updates.wide ORDER BY a, b;
--> 1	y	3
--> 1	z	1
-- Another time of the same day is the same key, another day is not.
UPDATE sql_key_updates.wide SET ts = ts + INTERVAL 1 HOUR WHERE b = 'y';
--# 1
INSERT INTO sql_key_updates.wide VALUES (1, 'y', '2024-01-01 23:00:00', 4);
SELECT * FROM sql_key_updates.wide WHERE b = 'y';
--> 1	y	2024-01-01 23:00:00	4
UPDATE sql_key_updates.wide SET ts = ts + INTERVAL 1 HOUR WHERE b = 'y';
--# 1
INSERT INTO sql_key_updates.wide VALUES (1, 'y', '2024-01-01 12:00:00', 5);
SELECT * FROM sql_key_updates.wide WHERE b = 'y' ORDER BY ts;
--> 1	y	2024-01-01 12:00:00	5
--> 1	y	2024-01-02 00:00:00	4

-- Into another partition and back.

CREATE TABLE sql_key_updates.parted (d Date, id UInt32, s String)
  ENGINE = MutableMergeTree PARTITION BY toYYYYMM(d) ORDER BY (d, id);
INSERT INTO sql_key_updates.parted VALUES ('2024-01-31', 1, 'a'), ('2024-02-01', 1, 'b');
UPDATE sql_key_updates.parted SET d = '2024-02-01' WHERE s = 'a';
--# 1
SELECT * FROM sql_key_updates.parted;
--> 2024-02-01	1	a
UPDATE sql_key_updates.parted SET d = d + 40 WHERE 1;
UPDATE sql_key_updates.parted SET d = d - 40, id = 2 WHERE 1;
SELECT * FROM sql_key_updates.parted;
--> 2024-02-01	2	a

-- Many.

TRUNCATE TABLE sql_key_updates.t;
INSERT INTO sql_key_updates.t SELECT number, toString(number) FROM numbers(100000);
UPDATE sql_key_updates.t SET id = id + 50000 WHERE 1;
--# 100000
SELECT count(), min(id), max(id), countIf(toString(id - 50000) != s) FROM sql_key_updates.t;
--> 100000	50000	149999	0
UPDATE sql_key_updates.t SET id = id - 50000 WHERE id >= 100000;
--# 50000
SELECT count(), min(id), max(id), countIf(toString(id) != s) FROM sql_key_updates.t;
--> 50000	50000	99999	0

DROP DATABASE sql_key_updates;
