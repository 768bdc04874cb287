import Arrow
import CArrowABI

extension AdbcDriver {
  mutating func addDatabaseFunctions() {
    DatabaseNew = { database, error in status(error) { try attach(Database(), to: database) } }
    DatabaseInit = { database, error in status(error) { try object(of: database).open() } }
    DatabaseRelease = { database, error in
      status(error) {
        try object(of: database).close()
        try detach(database)
      }
    }
  }

  mutating func addConnectionFunctions() {
    ConnectionNew = { connection, error in
      status(error) { try attach(Connection(), to: connection) }
    }
    ConnectionInit = { connection, database, error in
      status(error) { try object(of: connection).open(object(of: database)) }
    }
    ConnectionRelease = { connection, error in
      status(error) {
        try object(of: connection).close()
        try detach(connection)
      }
    }
    ConnectionCommit = { connection, error in
      status(error) { try object(of: connection).commit() }
    }
    ConnectionRollback = { connection, error in
      status(error) { try object(of: connection).rollback() }
    }
    ConnectionCancel = { connection, error in
      status(error) { try object(of: connection).work.cancel() }
    }
    ConnectionReadPartition = { connection, partition, length, out, error in
      status(error) {
        let connection = try object(of: connection)
        let out = try output(out)
        let bytes = UnsafeRawBufferPointer(start: partition, count: partition == nil ? 0 : length)
        let reader = try connection.read(Partition.decode(bytes))
        ResultStream.export(reader, into: out, work: connection.work)
      }
    }
  }

  mutating func addMetadataFunctions() {
    ConnectionGetInfo = { connection, codes, count, out, error in
      status(error) {
        let connection = try object(of: connection)
        _ = try connection.service()
        let codes = codes.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
        try connection.answer(DriverInfo.batch(codes), into: out)
      }
    }
    ConnectionGetObjects = {
      connection, depth, catalog, schema, table, tableTypes, column, out, error in
      status(error) {
        let connection = try object(of: connection)
        guard let depth = CatalogObjects.Depth(rawValue: depth) else {
          throw DriverError.invalidArgument("the depth must be 0 to 3, not \(depth)")
        }
        let query = CatalogObjects.Query(
          depth: depth, catalog: try optionalText(catalog, "the catalog"),
          schema: try optionalText(schema, "the schema"),
          table: try optionalText(table, "the table's name"),
          tableTypes: try texts(tableTypes, "a table type"),
          column: try optionalText(column, "the column's name"))
        _ = try output(out)
        try connection.answer(connection.objects(query), into: out)
      }
    }
    ConnectionGetTableSchema = { connection, catalog, schema, table, out, error in
      status(error) {
        let connection = try object(of: connection)
        let out = try output(out)
        try connection.tableSchema(
          catalog: optionalText(catalog, "the catalog"), schema: optionalText(schema, "the schema"),
          table: text(table, "the table's name")
        ).export(into: out)
      }
    }
    ConnectionGetTableTypes = { connection, out, error in
      status(error) {
        let connection = try object(of: connection)
        _ = try connection.service()
        try connection.answer(Connection.tableTypes(), into: out)
      }
    }
    ConnectionGetStatistics = { connection, catalog, schema, table, isApproximate, out, error in
      status(error) {
        let connection = try object(of: connection)
        let query = CatalogObjects.Query(
          catalog: try optionalText(catalog, "the catalog"),
          schema: try optionalText(schema, "the schema"),
          table: try optionalText(table, "the table's name"))
        _ = try output(out)
        try connection.answer(
          connection.statistics(query, isApproximate: isApproximate != 0), into: out)
      }
    }
    ConnectionGetStatisticNames = { connection, out, error in
      status(error) {
        let connection = try object(of: connection)
        _ = try connection.service()
        let names = try RecordBatch(
          schema: Statistics.nameSchema,
          columns: Statistics.nameSchema.fields.map { ArrayData(emptyOf: $0.type) }, rowCount: 0)
        try connection.answer(names, into: out)
      }
    }
  }
}

extension Connection {
  /// Hands out an answer that is one batch.
  fileprivate func answer(
    _ batch: RecordBatch, into out: UnsafeMutablePointer<ArrowArrayStream>?
  ) throws {
    ResultStream.export(BatchReader(batch), into: try output(out), work: work)
  }
}

/// A list of texts that ends with NULL; nil when there is no list.
private func texts(
  _ pointer: UnsafeMutablePointer<UnsafePointer<CChar>?>?, _ name: String
) throws -> [String]? {
  guard var pointer else { return nil }
  var texts: [String] = []
  while let text = try optionalText(pointer.pointee, name) {
    texts.append(text)
    pointer += 1
  }
  return texts
}
