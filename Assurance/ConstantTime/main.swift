import CMemcheck
import Foundation

// Prints, for every operation with a secret, how many jumps and addresses depended on it, as
// valgrind's memcheck sees it; fails unless they are as many as the code promises. Its argument
// names a group of operations; `bin/constant-time` runs them all, as they must be run.
guard memcheck_is_running() != 0 else {
    print("not under valgrind: run bin/constant-time")
    exit(64)
}
let bench = Bench()
AlgebraChecks.controls(bench)
switch CommandLine.arguments.dropFirst().first {
case "algebra":
    AlgebraChecks.limbs(bench)
    AlgebraChecks.scalars(bench)
    AlgebraChecks.bytes(bench)
    AlgebraChecks.matrices(bench)
    AlgebraChecks.keys(bench)
case "variable": AlgebraChecks.variable(bench)
case "setup": try ThresholdChecks.setup(bench)
case "multiplication": try ThresholdChecks.multiplication(bench)
case "sharing": ThresholdChecks.sharing(bench)
case "signing": try SigningChecks.signing(bench)
case let other:
    print("unknown group \(other ?? "")")
    exit(64)
}
exit(bench.finish() ? 0 : 1)
