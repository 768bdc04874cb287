import ArgumentParser

/// The option of every command that works on a data folder.
struct DataFolderOptions: ParsableArguments {
  @Option(name: .customLong("data"), help: "The data folder.", completion: .directory)
  var path: String
}
