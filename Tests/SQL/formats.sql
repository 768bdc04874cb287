-- INSERT, UPSERT and IMPORT of rows that follow the statement in a format.

CREATE DATABASE sql_formats;
CREATE TABLE sql_formats.t (id UInt32, n Nullable(Int32), s String DEFAULT 'none')
  ENGINE = MutableMergeTree ORDER BY id;

INSERT INTO sql_formats.t FORMAT Values (1, 1, 'a;b'), (2, NULL, 'FORMAT CSV');
--# 2
INSERT INTO sql_formats.t FORMAT TSV
3	3	tab
4	\N	a\tb
;
--# 2
INSERT INTO sql_formats.t (id, s) FORMAT TabSeparated
5	only two
;
INSERT INTO sql_formats.t FORMAT TSVWithNames
s	id
by name	6
;
INSERT INTO sql_formats.t FORMAT TSVWithNamesAndTypes
s	id
String	UInt32
typed	7
;
INSERT INTO sql_formats.t FORMAT TSVRaw
8	8	raw\t
;
INSERT INTO sql_formats.t FORMAT CSV
9,9,"a ""b"", c"
10,,-- no comment
11,\N,/* no comment */
;
--# 3
INSERT INTO sql_formats.t FORMAT CSVWithNames
id,s
12,"two
lines"
;
INSERT INTO sql_formats.t SETTINGS format_csv_delimiter = '|' FORMAT CSV
13|13|bar
;
INSERT INTO sql_formats.t FORMAT JSONEachRow
{"id": 14, "n": 14, "s": "json; {}"}
{"s": "no n", "id": 15}
{"id": 16}
;
--# 3
INSERT INTO sql_formats.t FORMAT JSONEachRow [{"id": 17, "n": null}, {"id": 18, "s": "é😀"}];
INSERT INTO sql_formats.t FORMAT JSONCompactEachRow
[19, 19, "compact"]
[20, null, ""]
;
INSERT INTO sql_formats.t FORMAT JSONStringsEachRow
{"id": "21", "s": "strings"}
;
INSERT INTO sql_formats.t FORMAT JSONColumns
{"id": [22, 23], "s": ["c1", "c2"]}
;
INSERT INTO sql_formats.t FORMAT TSKV
id=24	s=tskv
;
INSERT INTO sql_formats.t (id, n, s)
SETTINGS format_custom_field_delimiter = '~', format_custom_escaping_rule = 'CSV'
FORMAT CustomSeparated
25~25~"custom"
;
INSERT INTO sql_formats.t (s, id) FORMAT LineAsString
a line
;
--!
SELECT * FROM sql_formats.t ORDER BY id;
--> 1	1	a;b
--> 2	\N	FORMAT CSV
--> 3	3	tab
--> 4	\N	a\tb
--> 5	\N	only two
--> 6	\N	by name
--> 7	\N	typed
--> 8	8	raw\\t
--> 9	9	a "b", c
--> 10	\N	-- no comment
--> 11	\N	/* no comment */
--> 12	\N	two\nlines
--> 13	13	bar
--> 14	14	json; {}
--> 15	\N	no n
--> 16	\N	none
--> 17	\N	none
--> 18	\N	é😀
--> 19	19	compact
--> 20	\N	
--> 21	\N	strings
--> 22	\N	c1
--> 23	\N	c2
--> 24	\N	tskv
--> 25	25	custom

-- Later rows of the data win, and a bad row spoils all of them.

TRUNCATE TABLE sql_formats.t;
INSERT INTO sql_formats.t FORMAT CSV
1,1,first
2,2,second
1,3,third
;
INSERT INTO sql_formats.t FORMAT CSV
1,9,bad
x,9,bad
;
--!
INSERT INTO sql_formats.t FORMAT JSONEachRow
{"id": 1, "s": "bad"}
{"id": 
;
--!
INSERT INTO sql_formats.t FORMAT NoSuch
1
;
--! NoSuch
SELECT * FROM sql_formats.t ORDER BY id;
--> 1	3	third
--> 2	2	second

-- UPSERT and IMPORT take the same.

UPSERT INTO sql_formats.t FORMAT CSV
2,20,upserted
3,30,upserted
;
--# 2
UPSERT INTO sql_formats.t (id, s) FORMAT JSONEachRow {"id": 4, "s": "up;sert"};
IMPORT INTO sql_formats.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK) FORMAT TSV
5	imported	1000000	0
6	marked	1000000	1
;
--# 2
IMPORT INTO sql_formats.t (id, s, _INTERNAL_VERSION, _INTERNAL_DELMARK) FORMAT JSONEachRow
{"id": 1, "_INTERNAL_VERSION": 1000001, "_INTERNAL_DELMARK": 1}
{"id": 7, "s": "seven", "_INTERNAL_VERSION": 1000002, "_INTERNAL_DELMARK": 0}
;
SELECT * FROM sql_formats.t ORDER BY id;
--> 2	20	upserted
--> 3	30	upserted
--> 4	\N	up;sert
--> 5	\N	imported
--> 7	\N	seven

-- Rows out of a text in a SELECT.

INSERT INTO sql_formats.t (id, s)
  SELECT id, s FROM format(JSONEachRow, 'id UInt32, s String', '{"id": 8, "s": "by format()"}');
INSERT INTO sql_formats.t (id, s) SELECT * FROM values('id UInt32, s String', (9, 'v'), (9, 'w'));
SELECT id, s FROM sql_formats.t WHERE id > 7 ORDER BY id;
--> 8	by format()
--> 9	w

-- Results in formats.

TRUNCATE TABLE sql_formats.t;
INSERT INTO sql_formats.t VALUES (1, NULL, 'x'), (2, 2, 'y');
DELETE FROM sql_formats.t WHERE id = 2;
SELECT * FROM sql_formats.t FORMAT CSVWithNames;
--> "id","n","s"
--> 1,\N,"x"
SELECT * FROM sql_formats.t FORMAT JSONEachRow;
--> {"id":1,"n":null,"s":"x"}
SELECT * FROM sql_formats.t FORMAT TSVWithNamesAndTypes;
--> id	n	s
--> UInt32	Nullable(Int32)	String
--> 1	\N	x
SELECT * FROM sql_formats.t FORMAT Values;
--> (1,NULL,'x')
SELECT * FROM sql_formats.t FORMAT XML;
--~ <name>id</name>
--^ _INTERNAL

DROP DATABASE sql_formats;
