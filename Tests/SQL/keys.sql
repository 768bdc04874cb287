-- Keys of every shape: what is equal is one row, what differs is two.

CREATE DATABASE sql_keys;

-- Several columns, in any order, not the first ones.

CREATE TABLE sql_keys.t (n Int32, b String, x UInt8, a UInt32)
  ENGINE = MutableMergeTree ORDER BY (a, b);
INSERT INTO sql_keys.t VALUES (1, 'x', 0, 1), (2, 'y', 0, 1), (3, 'x', 0, 2), (4, '', 0, 0);
UPSERT INTO sql_keys.t VALUES (5, 'x', 1, 2), (6, 'z', 1, 2), (7, 'xx', 1, 1);
UPDATE sql_keys.t SET n = n * 10 WHERE a = 1 AND b = 'x';
--# 1
UPDATE sql_keys.t SET x = 9 WHERE (a, b) IN ((1, 'y'), (2, 'nosuch'));
--# 1
DELETE FROM sql_keys.t WHERE a = 2 AND b = 'z';
--# 1
SELECT * FROM sql_keys.t ORDER BY a, b;
--> 4		0	0
--> 10	x	0	1
--> 7	xx	1	1
--> 2	y	9	1
--> 5	x	1	2
SELECT n FROM sql_keys.t WHERE b = 'x' ORDER BY a;
--> 10
--> 5
DROP TABLE sql_keys.t;

-- Three columns of different types, the last one changed most.

CREATE TABLE sql_keys.t (a UInt8, b LowCardinality(String), c Int64, n Int32)
  ENGINE = MutableMergeTree ORDER BY (a, b, c);
INSERT INTO sql_keys.t SELECT number % 2, toString(number % 3), -number, 1 FROM numbers(12);
UPSERT INTO sql_keys.t SELECT number % 2, toString(number % 3), -number, 2 FROM numbers(6, 12);
DELETE FROM sql_keys.t WHERE a = 0 AND b = '0';
--# 3
SELECT n, count(), sum(c) FROM sql_keys.t GROUP BY n ORDER BY n;
--> 1	5	-15
--> 2	10	-120
DROP TABLE sql_keys.t;

-- Strings, with every odd byte.

CREATE TABLE sql_keys.t (k String, n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES ('', 1), ('a', 2), ('A', 3), ('a ', 4), ('a\0', 5), ('é', 6), ('e\'',
  7),
  ('日本', 8), ('\t', 9), ('\\', 10);
INSERT INTO sql_keys.t SELECT k, n * 10 FROM sql_keys.t WHERE k IN ('', 'a\0', '日本', '\\');
DELETE FROM sql_keys.t WHERE k IN ('a', '\t');
--# 2
UPDATE sql_keys.t SET n = -n WHERE k = 'é' OR k = 'e\'';
--# 2
SELECT * FROM sql_keys.t ORDER BY k;
--> 	10
--> A	3
--> \\	100
--> a\0	50
--> a 	4
--> e\'	-7
--> é	-6
--> 日本	80
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (k FixedString(3), n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES ('a', 1), ('abc', 2), ('a\0', 3);
SELECT hex(k), n FROM sql_keys.t ORDER BY k;
--> 610000	3
--> 616263	2
DROP TABLE sql_keys.t;

-- Expressions.

CREATE TABLE sql_keys.t (id UInt32, ts DateTime('UTC'), n Int32)
  ENGINE = MutableMergeTree ORDER BY (toDate(ts), id);
INSERT INTO sql_keys.t VALUES (1, '2024-01-01 00:00:00', 1), (1, '2024-01-01 23:59:59', 2),
  (1, '2024-01-02 00:00:00', 3), (2, '2024-01-01 00:00:00', 4);
SELECT * FROM sql_keys.t ORDER BY n;
--> 1	2024-01-01 23:59:59	2
--> 1	2024-01-02 00:00:00	3
--> 2	2024-01-01 00:00:00	4
UPSERT INTO sql_keys.t VALUES (2, '2024-01-01 12:00:00', 5);
UPDATE sql_keys.t SET n = 6 WHERE toDate(ts) = '2024-01-02';
--# 1
DELETE FROM sql_keys.t WHERE ts = '2024-01-01 00:00:00';
--# 0
DELETE FROM sql_keys.t WHERE ts = '2024-01-01 23:59:59';
--# 1
SELECT * FROM sql_keys.t ORDER BY n;
--> 2	2024-01-01 12:00:00	5
--> 1	2024-01-02 00:00:00	6
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (id Int32, s String, n Int32)
  ENGINE = MutableMergeTree ORDER BY (id % 10, lower(s), cityHash64(s) % 1);
INSERT INTO sql_keys.t VALUES (1, 'a', 1), (11, 'A', 2), (21, 'b', 3), (2, 'a', 4);
SELECT * FROM sql_keys.t ORDER BY n;
--> 11	A	2
--> 21	b	3
--> 2	a	4
UPDATE sql_keys.t SET id = id + 10 WHERE s = 'b';
--# 1
INSERT INTO sql_keys.t VALUES (1, 'B', 5);
SELECT * FROM sql_keys.t ORDER BY n;
--> 11	A	2
--> 2	a	4
--> 1	B	5
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (t Tuple(a UInt8, b String), n Int32) ENGINE = MutableMergeTree
  ORDER BY t.b;
INSERT INTO sql_keys.t VALUES ((1, 'x'), 1), ((2, 'x'), 2), ((1, 'y'), 3);
SELECT * FROM sql_keys.t ORDER BY n;
--> (2,'x')	2
--> (1,'y')	3
DROP TABLE sql_keys.t;

-- Nullable.

CREATE TABLE sql_keys.t (k Nullable(UInt32), n Int32)
  ENGINE = MutableMergeTree ORDER BY k SETTINGS allow_nullable_key = 1;
INSERT INTO sql_keys.t VALUES (NULL, 1), (0, 2), (1, 3), (NULL, 4);
SELECT * FROM sql_keys.t ORDER BY n;
--> 0	2
--> 1	3
--> \N	4
UPSERT INTO sql_keys.t VALUES (NULL, 5);
UPDATE sql_keys.t SET n = 6 WHERE k IS NULL;
--# 1
SELECT * FROM sql_keys.t ORDER BY n;
--> 0	2
--> 1	3
--> \N	6
UPDATE sql_keys.t SET k = NULL WHERE k = 1;
--# 1
SELECT * FROM sql_keys.t ORDER BY n;
--> 0	2
--> \N	3
DELETE FROM sql_keys.t WHERE k IS NULL;
--# 1
SELECT * FROM sql_keys.t ORDER BY n;
--> 0	2
INSERT INTO sql_keys.t VALUES (NULL, 7);
SELECT * FROM sql_keys.t ORDER BY n;
--> 0	2
--> \N	7
DROP TABLE sql_keys.t;
CREATE TABLE sql_keys.t (a UInt8, b Nullable(String), n Int32)
  ENGINE = MutableMergeTree ORDER BY (a, b) SETTINGS allow_nullable_key = 1;
INSERT INTO sql_keys.t VALUES (1, NULL, 1), (1, '', 2), (2, NULL, 3), (1, NULL, 4);
DELETE FROM sql_keys.t WHERE a = 2;
UPSERT INTO sql_keys.t VALUES (1, '', 5);
SELECT * FROM sql_keys.t ORDER BY n;
--> 1	\N	4
--> 1		5
DROP TABLE sql_keys.t;

-- Partitions by the key.

CREATE TABLE sql_keys.t (d Date, id UInt32, n Int32)
  ENGINE = MutableMergeTree PARTITION BY toYYYYMM(d) ORDER BY (d, id);
INSERT INTO sql_keys.t SELECT toDate('2024-01-01') + number % 90, number % 10, number
  FROM numbers(900);
INSERT INTO sql_keys.t SELECT toDate('2024-01-31') + number, 0, -1 FROM numbers(3);
UPDATE sql_keys.t SET n = -2 WHERE d = '2024-03-01';
DELETE FROM sql_keys.t WHERE d < '2024-01-31' OR d > '2024-03-01';
SELECT d, count(), sum(n) FROM sql_keys.t WHERE n < 0 OR d = '2024-02-29' GROUP BY d ORDER BY d;
--> 2024-01-31	1	-1
--> 2024-02-01	1	-1
--> 2024-02-02	1	-1
--> 2024-02-29	1	869
--> 2024-03-01	1	-2
SELECT count(), uniqExact(d, id) FROM sql_keys.t;
--> 33	33
DROP TABLE sql_keys.t;
CREATE TABLE sql_keys.t (tenant LowCardinality(String), id UInt32, n Int32)
  ENGINE = MutableMergeTree PARTITION BY tenant ORDER BY (tenant, id);
INSERT INTO sql_keys.t VALUES ('a', 1, 1), ('b', 1, 2), ('a', 1, 3);
UPDATE sql_keys.t SET tenant = 'c' WHERE tenant = 'b';
DELETE FROM sql_keys.t WHERE tenant = 'a';
SELECT * FROM sql_keys.t;
--> c	1	2
DROP TABLE sql_keys.t;
CREATE TABLE sql_keys.t (id UInt32, n Int32)
  ENGINE = MutableMergeTree PARTITION BY id % 4 ORDER BY id;
INSERT INTO sql_keys.t SELECT number, 0 FROM numbers(100);
UPDATE sql_keys.t SET n = 1 WHERE id % 3 = 0;
--# 34
SELECT count(), sum(n), uniqExact(id) FROM sql_keys.t;
--> 100	34	100
DROP TABLE sql_keys.t;

-- Other types.

CREATE TABLE sql_keys.t (k LowCardinality(String), n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES ('x', 1), ('', 2), ('x', 3);
UPDATE sql_keys.t SET n = n + 1 WHERE k = 'x';
SELECT * FROM sql_keys.t ORDER BY k;
--> 	2
--> x	4
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (k UUID, n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES ('61f0c404-5cb3-11e7-907b-a6006ad3dba0', 1),
  ('61f0c404-5cb3-11e7-907b-a6006ad3dba1', 2), ('61F0C404-5CB3-11E7-907B-A6006AD3DBA0', 3);
DELETE FROM sql_keys.t WHERE k = '61f0c404-5cb3-11e7-907b-a6006ad3dba1';
--# 1
SELECT * FROM sql_keys.t;
--> 61f0c404-5cb3-11e7-907b-a6006ad3dba0	3
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (k DateTime64(6, 'UTC'), n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES ('2024-01-01 00:00:00.000001', 1), ('2024-01-01 00:00:00.000002', 2),
  ('2024-01-01 00:00:00.000001', 3), ('1900-01-01 00:00:00', 4);
UPDATE sql_keys.t SET n = 5 WHERE k = toDateTime64('2024-01-01 00:00:00.000002', 6, 'UTC');
--# 1
SELECT * FROM sql_keys.t ORDER BY k;
--> 1900-01-01 00:00:00.000000	4
--> 2024-01-01 00:00:00.000001	3
--> 2024-01-01 00:00:00.000002	5
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (k Decimal(30, 10), n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES (1.5, 1), (1.50, 2), ('-12345678901234567890.0123456789', 3), (0, 4);
DELETE FROM sql_keys.t WHERE k = 0;
--# 1
SELECT * FROM sql_keys.t ORDER BY k;
--> -12345678901234567890.0123456789	3
--> 1.5	2
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (a Int8, b Int256, c UInt128, d IPv4, e IPv6, f Enum8('x' = 1, 'y' = 2),
  g Bool, h Date32, i DateTime, n Int32)
  ENGINE = MutableMergeTree ORDER BY (a, b, c, d, e, f, g, h, i);
INSERT INTO sql_keys.t SELECT -1, -5, 6, '1.2.3.4', '::1', 'x', true, '1900-01-02', 1700000000,
  number
  FROM numbers(3) ORDER BY number;
INSERT INTO sql_keys.t SELECT -1, -5, 6, '1.2.3.4', '::1', 'y', true, '1900-01-02', 1700000000, 7;
UPDATE sql_keys.t SET n = n + 1 WHERE f = 'x' AND d = '1.2.3.4';
--# 1
SELECT a, b, c, d, e, f, g, h, toUnixTimestamp(i), n FROM sql_keys.t ORDER BY n;
--> -1	-5	6	1.2.3.4	::1	x	true	1900-01-02	1700000000	3
--> -1	-5	6	1.2.3.4	::1	y	true	1900-01-02	1700000000	7
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (k Array(UInt8), n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES ([], 1), ([1], 2), ([1, 2], 3), ([1], 4);
DELETE FROM sql_keys.t WHERE k = [];
--# 1
SELECT * FROM sql_keys.t ORDER BY k;
--> [1]	4
--> [1,2]	3
DROP TABLE sql_keys.t;

CREATE TABLE sql_keys.t (k Tuple(UInt8, String), n Int32) ENGINE = MutableMergeTree ORDER BY k;
INSERT INTO sql_keys.t VALUES ((1, 'a'), 1), ((1, 'b'), 2), ((1, 'a'), 3);
SELECT * FROM sql_keys.t ORDER BY k;
--> (1,'a')	3
--> (1,'b')	2
DROP TABLE sql_keys.t;

-- Descending.

CREATE TABLE sql_keys.t (id UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY (id DESC)
  SETTINGS allow_experimental_reverse_key = 1;
INSERT INTO sql_keys.t SELECT number, 0 FROM numbers(5);
UPDATE sql_keys.t SET n = 1 WHERE id IN (0, 4);
DELETE FROM sql_keys.t WHERE id = 2;
SELECT * FROM sql_keys.t ORDER BY id;
--> 0	1
--> 1	0
--> 3	0
--> 4	1
DROP TABLE sql_keys.t;

-- Many rows of one prefix, more than a granule.

CREATE TABLE sql_keys.t (a UInt8, b UInt32, n Int32) ENGINE = MutableMergeTree ORDER BY (a, b);
INSERT INTO sql_keys.t SELECT number % 2, number, 0 FROM numbers(50000);
UPDATE sql_keys.t SET n = 1 WHERE a = 1 AND b BETWEEN 20000 AND 20010;
--# 5
DELETE FROM sql_keys.t WHERE a = 0 AND b < 40000;
--# 20000
SELECT a, count(), sum(n), min(b), max(b) FROM sql_keys.t GROUP BY a ORDER BY a;
--> 0	5000	0	40000	49998
--> 1	25000	5	1	49999
SELECT n FROM sql_keys.t WHERE a = 1 AND b = 20001;
--> 1

DROP DATABASE sql_keys;
