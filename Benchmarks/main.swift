import Foundation

// Prints every figure with its unit and its ratio to a base measured in the same run.
//   --json FILE   writes them as data too
//   --only TEXT   only what has this in its name
var only = ""
var jsonFile: String?
var arguments = Array(CommandLine.arguments.dropFirst())
if arguments == [SigningMemory.participantArgument] {
    try SigningMemory.takePart()
    exit(0)
}
if arguments.first == FaceServer.argument, let port = Int(arguments.last ?? "") {
    try await FaceServer.run(port: port)
    exit(0)
}
while let argument = arguments.first {
    guard ["--json", "--only"].contains(argument), arguments.count >= 2 else {
        print("usage: bin/bench [--json FILE] [--only TEXT]")
        exit(argument == "--help" ? 0 : 64)
    }
    if argument == "--json" { jsonFile = arguments[1] } else { only = arguments[1] }
    arguments.removeFirst(2)
}
let report = Report(only: only)
try ThresholdFigures.measure(into: report)
try SchnorrFigures.measure(into: report)
try await FaceFigures.measure(into: report)
try await StackFigures.measure(into: report)
try report.finish(jsonFile)
