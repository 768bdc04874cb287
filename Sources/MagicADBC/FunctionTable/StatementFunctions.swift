import Arrow
import CArrowABI

extension AdbcDriver {
  mutating func addStatementFunctions() {
    StatementNew = { connection, statement, error in
      status(error) { try attach(Statement(object(of: connection)), to: statement) }
    }
    StatementRelease = { statement, error in status(error) { try detach(statement) } }
    StatementCancel = { statement, error in
      status(error) { try object(of: statement).work.cancel() }
    }
    StatementSetSqlQuery = { statement, query, error in
      status(error) { try object(of: statement).setQuery(text(query, "the query")) }
    }
    StatementSetSubstraitPlan = { statement, _, _, error in
      status(error) {
        _ = try object(of: statement)
        throw DriverError.notImplemented("Substrait plans; use SQL")
      }
    }
    StatementPrepare = { statement, error in status(error) { try object(of: statement).prepare() } }
    StatementBind = { statement, values, schema, error in
      status(error) {
        try object(of: statement).bind(boundRows(moving: input(values), input(schema)))
      }
    }
    StatementBindStream = { statement, stream, error in
      status(error) { try object(of: statement).bind(boundRows(moving: input(stream))) }
    }
    StatementGetParameterSchema = { statement, out, error in
      status(error) { try object(of: statement).parameterSchema().export(into: output(out)) }
    }
    StatementExecuteSchema = { statement, out, error in
      status(error) { try object(of: statement).resultSchema().export(into: output(out)) }
    }
    StatementExecuteQuery = { statement, out, rowsAffected, error in
      status(error) {
        let count = try object(of: statement).execute(out)
        rowsAffected?.pointee = count.map { Int64($0) } ?? -1
      }
    }
    StatementExecutePartitions = { statement, schema, partitions, rowsAffected, error in
      status(error) {
        let statement = try object(of: statement)
        let out = try output(partitions)
        let result = try statement.partitions()
        out.initialize(to: try AdbcPartitions(result.partitions))
        if let schema { result.schema.export(into: schema) }
        rowsAffected?.pointee = -1
      }
    }
  }
}

/// Data that the program hands over, which must be there.
private func input<Value>(_ pointer: UnsafeMutablePointer<Value>?) throws -> UnsafeMutablePointer<
  Value
> {
  guard let pointer else { throw DriverError.invalidArgument("the data to bind is NULL") }
  return pointer
}
