-- Every type of column is inserted, updated, replaced, deleted and read back as it is.

CREATE DATABASE sql_types;

-- Integers and floats at their bounds.

CREATE TABLE sql_types.t (id UInt8, i8 Int8, i16 Int16, i32 Int32, i64 Int64, i128 Int128,
  i256 Int256,
  u8 UInt8, u16 UInt16, u32 UInt32, u64 UInt64, u128 UInt128, u256 UInt256)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES
  (1, -128, -32768, -2147483648, -9223372036854775808, -170141183460469231731687303715884105728,
   '-57896044618658097711785492504343953926634992332820282019728792003956564819968', 0, 0, 0, 0, 0,
  0),
  (2, 127, 32767, 2147483647, 9223372036854775807, 170141183460469231731687303715884105727,
   '57896044618658097711785492504343953926634992332820282019728792003956564819967', 255, 65535,
   4294967295, 18446744073709551615, '340282366920938463463374607431768211455',
   '115792089237316195423570985008687907853269984665640564039457584007913129639935'), (3, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0);
UPDATE sql_types.t SET i256 = i256 + 1, u256 = u256 + 1, u128 = 5 WHERE id = 2;
DELETE FROM sql_types.t WHERE id = 3;
SELECT * FROM sql_types.t ORDER BY id;
--> 1	-128	-32768	-2147483648	-9223372036854775808	-170141183460469231731687303715884105728	-57896044618658097711785492504343953926634992332820282019728792003956564819968	0	0	0	0	0	0
--> 2	127	32767	2147483647	9223372036854775807	170141183460469231731687303715884105727	-57896044618658097711785492504343953926634992332820282019728792003956564819968	255	65535	4294967295	18446744073709551615	5	0
DROP TABLE sql_types.t;

CREATE TABLE sql_types.t (id UInt8, f32 Float32, f64 Float64, bf BFloat16)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES (1, 3.4028235e38, 1.7976931348623157e308, 1.5),
  (2, inf, -inf, 0), (3, nan, nan, -2), (4, -0.0, 0.1, 0.5);
UPDATE sql_types.t SET f64 = f64 / 10 WHERE id IN (1, 3);
UPSERT INTO sql_types.t (id, f64) VALUES (2, 5e-324);
SELECT * FROM sql_types.t ORDER BY id;
--> 1	3.4028235e38	1.7976931348623158e307	1.5
--> 2	0	5e-324	0
--> 3	nan	nan	-2
--> 4	-0	0.1	0.5
DELETE FROM sql_types.t WHERE isNaN(f32);
--# 1
SELECT count() FROM sql_types.t;
--> 3
DROP TABLE sql_types.t;

-- Decimals, Bool, Enum.

CREATE TABLE sql_types.t (id UInt8, d32 Decimal(9, 2), d64 Decimal(18, 9), d128 Decimal(38, 0),
  d256 Decimal(76, 30), b Bool, e8 Enum8('a' = 1, 'b' = -2, 'it''s' = 3), e16 Enum16('x' = 1000,
  '' = 0))
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES
  (1, '-9999999.99', '999999999.999999999', '99999999999999999999999999999999999999',
   '9999999999999999999999999999999999999999999999.999999999999999999999999999999', true, 'a', 'x'),
  (2, 0.1, -0.000000001, -1, 0.000000000000000000000000000001, false, 'b', '');
UPDATE sql_types.t SET d32 = d32 + 1, e8 = 'it''s', b = NOT b WHERE id = 1;
UPDATE sql_types.t SET e16 = 1000, d256 = -d256 WHERE e8 = 'b' AND NOT b;
--# 1
SELECT * FROM sql_types.t ORDER BY id;
--> 1	-9999998.99	999999999.999999999	99999999999999999999999999999999999999	9999999999999999999999999999999999999999999999.999999999999999999999999999999	false	it\'s	x
--> 2	0.1	-0.000000001	-1	-0.000000000000000000000000000001	false	b	x
UPDATE sql_types.t SET e8 = 'nosuch' WHERE 1;
--!
UPDATE sql_types.t SET d32 = 99999999 WHERE 1;
--!
DROP TABLE sql_types.t;

-- Text.

CREATE TABLE sql_types.t (id UInt8, s String, f FixedString(4), lc LowCardinality(String),
  lcn LowCardinality(Nullable(String)), lcf LowCardinality(FixedString(2)), ns Nullable(String))
  ENGINE = MutableMergeTree ORDER BY id SETTINGS allow_suspicious_low_cardinality_types = 1;
INSERT INTO sql_types.t VALUES (1, 'tab\t, line\n, zero\0, ''quote'', \\', 'abcd', 'low', NULL,
  'xy', NULL),
  (2, 'é😀漢字', 'é', '', 'x', '', ''), (3, unhex('FF00FE'), unhex('00FF'), 'ü', '', '', 'null');
UPDATE sql_types.t SET s = concat(s, s), lcn = 'set', ns = 'set' WHERE id IN (1, 2);
UPDATE sql_types.t SET lcn = NULL, ns = NULL, lc = upper(lc) WHERE id = 2;
SELECT id, hex(s), hex(f), lc, lcn, hex(lcf), ns FROM sql_types.t ORDER BY id;
--> 1	746162092C206C696E650A2C207A65726F002C202771756F7465272C205C746162092C206C696E650A2C207A65726F002C202771756F7465272C205C	61626364	low	set	7879	set
--> 2	C3A9F09F9880E6BCA2E5AD97C3A9F09F9880E6BCA2E5AD97	C3A90000		\N	0000	\N
--> 3	FF00FE	00FF0000	ü		0000	null
SELECT * FROM sql_types.t WHERE id = 1;
--> 1	tab\t, line\n, zero\0, \'quote\', \\tab\t, line\n, zero\0, \'quote\', \\	abcd	low	set	xy	set
DROP TABLE sql_types.t;

-- Times.

CREATE TABLE sql_types.t (id UInt8, d Date, d32 Date32, dt DateTime, dtz DateTime('Asia/Tokyo'),
  dt3 DateTime64(3, 'UTC'), dt9 DateTime64(9, 'UTC'), dt0 DateTime64(0, 'Europe/Berlin'))
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES
  (1, '1970-01-01', '1900-01-01', '1970-01-01 00:00:00', '2024-01-01 00:00:00',
   '1900-01-01 00:00:00.001', '2262-04-11 23:47:16.854775807', '2024-06-01 12:00:00'),
  (2, '2149-06-06', '2299-12-31', '2106-02-07 06:28:15', '2024-01-01 23:59:59',
   '2299-12-31 23:59:59.999', '1970-01-01 00:00:00.000000001', '2024-12-01 12:00:00');
UPDATE sql_types.t SET dt3 = dt3 + INTERVAL 1 MILLISECOND, d = d + 1, dtz = dtz + 1 WHERE id = 1;
SELECT * REPLACE(toUnixTimestamp(dt) AS dt) FROM sql_types.t ORDER BY id;
--> 1	1970-01-02	1900-01-01	0	2024-01-01 00:00:01	1900-01-01 00:00:00.002	2262-04-11 23:47:16.854775807	2024-06-01 12:00:00
--> 2	2149-06-06	2299-12-31	4294967295	2024-01-01 23:59:59	2299-12-31 23:59:59.999	1970-01-01 00:00:00.000000001	2024-12-01 12:00:00
DROP TABLE sql_types.t;
CREATE TABLE sql_types.t (id UInt8, tm Time, tm6 Time64(6), iv IntervalDay)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES (1, '12:34:56', '-999:59:59.999999', toIntervalDay(3));
INSERT INTO sql_types.t VALUES (2, '-00:00:01', '00:00:00.000001', toIntervalDay(-1));
UPDATE sql_types.t SET tm = '999:59:59' WHERE id = 2;
SELECT * FROM sql_types.t ORDER BY id;
--> 1	12:34:56	-999:59:59.999999	3
--> 2	999:59:59	00:00:00.000001	-1
DROP TABLE sql_types.t;

-- UUID, addresses, geometry.

CREATE TABLE sql_types.t (id UInt8, u UUID, v4 IPv4, v6 IPv6, p Point, r Ring, ls LineString,
  pg Polygon, mp MultiPolygon) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES
  (1, '61f0c404-5cb3-11e7-907b-a6006ad3dba0', '1.2.3.4', '::1', (1, 2), [(0, 0), (1, 0), (1, 1)],
   [(0, 0), (1, 1)], [[(0, 0), (1, 0), (1, 1)]], [[[(0, 0), (1, 0), (1, 1)]]]),
  (2, '00000000-0000-0000-0000-000000000000', '255.255.255.255', '2001:db8::ff00:42:8329', (0, 0),
  [],
   [], [], []);
UPDATE sql_types.t SET u = '61f0c404-5cb3-11e7-907b-a6006ad3dba1', v4 = '10.0.0.1', p = (3.5, -1),
  r = arrayPushBack(r, (9, 9)) WHERE id = 2;
SELECT * FROM sql_types.t ORDER BY id;
--> 1	61f0c404-5cb3-11e7-907b-a6006ad3dba0	1.2.3.4	::1	(1,2)	[(0,0),(1,0),(1,1)]	[(0,0),(1,1)]	[[(0,0),(1,0),(1,1)]]	[[[(0,0),(1,0),(1,1)]]]
--> 2	61f0c404-5cb3-11e7-907b-a6006ad3dba1	10.0.0.1	2001:db8::ff00:42:8329	(3.5,-1)	[(9,9)]	[]	[]	[]
SELECT id FROM sql_types.t WHERE u = '61f0c404-5cb3-11e7-907b-a6006ad3dba1' AND v4 = '10.0.0.1';
--> 2
DROP TABLE sql_types.t;

-- Arrays, tuples, maps, Nested.

CREATE TABLE sql_types.t (id UInt8, a Array(UInt32), aa Array(Array(Nullable(String))),
  al Array(LowCardinality(String)), t Tuple(UInt8, String), nt Tuple(x Int32, y Array(String)),
  m Map(String, UInt64), ma Map(LowCardinality(String), Array(UInt8)),
  n Nested(k String, v Int32)) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES
  (1, [1, 2, 3], [['a', NULL], []], ['l', 'l'], (1, 'one'), (-1, ['y']), {'k': 1, 'l': 2},
  {'m': [1]},
   ['n', 'o'], [1, 2]),
  (2, [], [], [], (0, ''), (0, []), {}, {}, [], []);
UPDATE sql_types.t SET a = arrayMap(x -> x * 2, a), aa = arrayPushBack(aa, [NULL]), t = (2, 'two'),
  m = mapUpdate(m, map('l', 3::UInt64)), n.v = arrayReverse(n.v) WHERE id = 1;
UPDATE sql_types.t SET nt = tuple(5, ['five']), n.k = ['p'], n.v = [7] WHERE id = 2;
SELECT * FROM sql_types.t ORDER BY id;
--> 1	[2,4,6]	[['a',NULL],[],[NULL]]	['l','l']	(2,'two')	(-1,['y'])	{'k':1,'l':3}	{'m':[1]}	['n','o']	[2,1]
--> 2	[]	[]	[]	(0,'')	(5,['five'])	{}	{}	['p']	[7]
SELECT id, nt.x, nt.y, t.2, m['l'], n.k, a[1], length(aa), m.keys, a.size0 FROM sql_types.t
  ORDER BY id;
--> 1	-1	['y']	two	3	['n','o']	2	3	['k','l']	3
--> 2	5	['five']		0	['p']	0	0	[]	0
SELECT id, k, v FROM sql_types.t ARRAY JOIN n.k AS k, n.v AS v ORDER BY id, k;
--> 1	n	2
--> 1	o	1
--> 2	p	7
INSERT INTO sql_types.t (id, n.k, n.v) VALUES (3, ['q'], [1, 2]);
--!
UPDATE sql_types.t SET n.k = ['too', 'many', 'of', 'them'] WHERE id = 1;
--!
SELECT count() FROM sql_types.t;
--> 2
INSERT INTO sql_types.t FORMAT JSONEachRow
{"id": 3, "a": [9], "nt": {"x": 1, "y": []}, "m": {"z": 26}, "n.k": ["z"], "n.v": [26]}
;
SELECT a, nt, m, n.k, n.v FROM sql_types.t WHERE id = 3;
--> [9]	(1,[])	{'z':26}	['z']	[26]
DROP TABLE sql_types.t;

-- Nullable of all sorts.

CREATE TABLE sql_types.t (id UInt8, n Nullable(Int64), d Nullable(Decimal(10, 2)),
  dt Nullable(DateTime64(3, 'UTC')),
  u Nullable(UUID), e Nullable(Enum8('a' = 1)), fs Nullable(FixedString(2)), v4 Nullable(IPv4),
  b Nullable(Bool))
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t (id) VALUES (1);
INSERT INTO sql_types.t VALUES
  (2, 1, 1.5, '2024-01-01 00:00:00.5', '61f0c404-5cb3-11e7-907b-a6006ad3dba0', 'a', 'x', '1.2.3.4',
  true),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE sql_types.t SET n = 0, e = 'a', b = false WHERE n IS NULL AND id = 3;
UPDATE sql_types.t SET n = NULL, d = NULL, dt = NULL, u = NULL, e = NULL, fs = NULL, v4 = NULL,
  b = NULL
  WHERE id = 2;
SELECT * FROM sql_types.t ORDER BY id;
--> 1	\N	\N	\N	\N	\N	\N	\N	\N
--> 2	\N	\N	\N	\N	\N	\N	\N	\N
--> 3	0	\N	\N	\N	a	\N	\N	false
DROP TABLE sql_types.t;

-- JSON, Variant, Dynamic.

CREATE TABLE sql_types.t (id UInt8, j JSON, jt JSON(a UInt32), v Variant(String, UInt64,
  Array(UInt8)), d Dynamic)
  ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t VALUES
  (1, '{"a": 1, "b": {"c": [1, 2], "d": null}, "s": "é"}', '{"a": 5, "x": "y"}', 42, 42),
  (2, '{}', '{}', 'text', 'text'), (3, '{"z": true}', '{"a": "7"}', [1, 2], [1, 2]), (4, '{}', '{}',
  NULL, NULL);
UPDATE sql_types.t SET v = 'now text', d = toDate('2024-01-01'), j = '{"new": {"p": 1.5}}'
  WHERE id = 1;
UPDATE sql_types.t SET v = v, d = d, j = j, jt = jt WHERE id IN (2, 3);
SELECT * FROM sql_types.t ORDER BY id;
--> 1	{"new":{"p":1.5}}	{"a":5,"x":"y"}	now text	2024-01-01
--> 2	{}	{"a":0}	text	text
--> 3	{"z":true}	{"a":7}	[1,2]	[1,2]
--> 4	{}	{"a":0}	\N	\N
SELECT id, j.new.p, jt.a, variantType(v), dynamicType(d), v.UInt64, d.String FROM sql_types.t
  ORDER BY id;
--> 1	1.5	5	String	Date	\N	\N
--> 2	\N	0	String	String	\N	text
--> 3	\N	7	Array(UInt8)	Array(Int64)	\N	\N
--> 4	\N	0	None	None	\N	\N
DELETE FROM sql_types.t WHERE v.String = 'text';
--# 1
SELECT count() FROM sql_types.t;
--> 3
DROP TABLE sql_types.t;

-- States of aggregate functions.

CREATE TABLE sql_types.t (id UInt8, s AggregateFunction(sum, UInt64), u AggregateFunction(uniqExact,
  String),
  m SimpleAggregateFunction(max, UInt64)) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t SELECT number % 3 AS id, sumState(number), uniqExactState(toString(number)),
  max(number)
  FROM numbers(30) GROUP BY id;
INSERT INTO sql_types.t SELECT 1, sumState(toUInt64(7)), uniqExactState('x'), 1;
UPDATE sql_types.t SET s = (SELECT sumState(toUInt64(100))) WHERE id = 2;
-- An inserted row replaces: nothing is aggregated behind the user's back.
SELECT id, sumMerge(s), uniqExactMerge(u), max(m) FROM sql_types.t GROUP BY id ORDER BY id;
--> 0	135	10	27
--> 1	7	1	1
--> 2	100	10	29
DROP TABLE sql_types.t;

-- Vectors and geometry of the newest kind.

CREATE TABLE sql_types.t (id UInt8, q QBit(Float32, 4), v Array(Float32)) ENGINE = MutableMergeTree
  ORDER BY id;
INSERT INTO sql_types.t VALUES (1, [1, 2, 3, 4], [1, 2, 3, 4]), (2, [0, 0, 0, 0], []);
UPDATE sql_types.t SET v = [0.5], q = [4, 3, 2, 1] WHERE id = 2;
SELECT * FROM sql_types.t ORDER BY id;
--> 1	[1,2,3,4]	[1,2,3,4]
--> 2	[4,3,2,1]	[0.5]
DROP TABLE sql_types.t;
CREATE TABLE sql_types.t (id UInt8, g Geometry) ENGINE = MutableMergeTree ORDER BY id;
INSERT INTO sql_types.t SELECT 1, (1, 2)::Point;
INSERT INTO sql_types.t SELECT 2, [(1, 2), (3, 4)]::LineString;
UPDATE sql_types.t SET g = (5, 6)::Point WHERE id = 1;
SELECT id, g FROM sql_types.t ORDER BY id;
--> 1	(5,6)
--> 2	[(1,2),(3,4)]
DROP TABLE sql_types.t;

-- Wide and long values.

CREATE TABLE sql_types.t (id UInt32, s String, a Array(UInt64)) ENGINE = MutableMergeTree
  ORDER BY id;
INSERT INTO sql_types.t SELECT number, repeat(toString(number), 100000), range(1000)
  FROM numbers(10);
UPDATE sql_types.t SET s = concat(s, '!') WHERE id < 3;
DELETE FROM sql_types.t WHERE length(s) = 100000 AND id > 5;
--# 4
SELECT id, length(s), arraySum(a) FROM sql_types.t ORDER BY id;
--> 0	100001	499500
--> 1	100001	499500
--> 2	100001	499500
--> 3	100000	499500
--> 4	100000	499500
--> 5	100000	499500

DROP DATABASE sql_types;
