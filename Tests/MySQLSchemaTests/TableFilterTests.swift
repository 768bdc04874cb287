import MySQLSchema
import Testing

@Suite struct TableFilterTests {
  @Test(arguments: [
    ([], [], "shop.orders", true),
    (["shop.*"], [], "shop.orders", true),
    (["shop.*"], [], "shopping.orders", false),
    (["*.orders"], [], "shop.orders", true),
    (["sh?p.o*s"], [], "shop.orders", true),
    (["sh?p.o*x"], [], "shop.orders", false),
    (["shop.*"], ["*.tmp_*"], "shop.tmp_1", false),
    ([], ["shop.orders"], "shop.orders", false),
    (["*"], [], "mysql.user", false),
    (["a*a*a*b.*"], [], "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.t", false),
  ])
  func selects(include: [String], exclude: [String], name: String, expected: Bool) {
    let parts = name.split(separator: ".")
    let table = TableName(database: String(parts[0]), table: String(parts[1]))
    #expect(TableFilter(include: include, exclude: exclude).selects(table) == expected)
  }

  @Test func manyStarsTakeNoLongTime() {
    let filter = TableFilter(include: ["d." + String(repeating: "*a", count: 30) + "b"])
    #expect(!filter.selects(TableName(database: "d", table: String(repeating: "a", count: 500))))
  }
}
