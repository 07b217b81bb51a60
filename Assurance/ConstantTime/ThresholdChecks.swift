import CMemcheck
import Canonical
import KeyGroups

@testable import Algebra
@testable import Threshold

/// What the protocols calculate with secrets.
enum ThresholdChecks {
    private static let run = RunID(.plain(100))
    private static let one = index(1), two = index(2)

    private static func index(_ raw: UInt8) -> ParticipantIndex {
        guard let index = ParticipantIndex(raw) else { preconditionFailure("1 or 2") }
        return index
    }

    /// The pair's setup, from the receiver's first draw to both sides' leaves.
    static func setup(_ bench: Bench) throws {
        var marked = MarkedRandom(101)
        var plain = PlainRandom(102)
        let bob = PairSetup.Bob(run: run, alice: one, me: two, random: &plain)
        var receiving: PairSetup.Alice?
        bench.run(
            .constant, "base transfer, receiver's message", secret: "choice bits, t",
            .told(3 * 256, "draws in range, t not zero")
        ) {
            receiving = PairSetup.Alice(run: run, me: one, bob: two, random: &marked)
        }
        guard let alice = receiving.take() else { return }
        let answer = try bob.answer(publish(alice.message)).message
        let box = SecretBox(alice)
        try bench.run(
            .constant, "base transfer and trees, receiver's end", secret: "choice bits, t",
            .told(2 * 256 + 1, "t not zero, the trees fit")
        ) {
            guard let alice = box.take() else { return }
            let setup = try alice.finish(answer)
            setup.leaves.keep()
            setup.delta.keep()
        }
        var plainAgain = PlainRandom(103)
        let first = PairSetup.Alice(run: run, me: one, bob: two, random: &plainAgain).message
        try bench.run(
            .constant, "base transfer and trees, sender", secret: "exponents, roots",
            .told(4 * 512, "draws in range, y not zero")
        ) {
            let sender = PairSetup.Bob(run: run, alice: one, me: two, random: &marked)
            let answered = try sender.answer(first)
            answered.setup.leaves.keep()
        }
    }

    /// One multiplication, its parts and then both sides whole.
    /// Lookups of `UniversalHash.all`: 128 bits, 32 tables of 16 sums, five slices a place. χ is a
    /// hash of u, which Bob is about to send; that it comes of secrets is all that valgrind sees.
    static let tablePlaces: UInt32 = 20480

    static func multiplication(_ bench: Bench) throws {
        var random = PlainRandom(110)
        let receiver = PairSetup.Alice(run: run, me: one, bob: two, random: &random)
        let sender = PairSetup.Bob(run: run, alice: one, me: two, random: &random)
        let answered = try sender.answer(receiver.message)
        let plain = try receiver.finish(answered.message)
        let bobs = answered.takeSetup()
        let id = plain.id
        let alice = AliceSetup(id: id, delta: plain.delta.marked(), leaves: plain.leaves.marked())
        let bob = BobSetup(id: id, leaves: bobs.leaves.marked())
        let name = Multiplication.name(run, id, alice: one, bob: two)

        var message: [UInt8] = []
        bench.run(
            .constant, "transfer extension, Bob", secret: "leaves, choice",
            .told(tablePlaces, "table places by χ, a hash of what is sent")
        ) {
            let extended = TransferExtension.extend(
                name, leaves: bob.leaves, choice: .marked(Transfer.columnBytes, 111))
            extended.rows.keep()
            message = extended.message.bytes
        }
        guard let extended = TransferExtension.Message(publish(message)) else { return }
        try bench.run(
            .constant, "transfer extension, Alice", secret: "leaves, Δ",
            .told(1, "the check's verdict")
        ) {
            try TransferExtension.check(name, alice, extended).keep()
        }
        var marked = MarkedRandom(112)
        var started: Multiplication.Bob?
        bench.run(
            .constant, "multiplication, Bob's start", secret: "leaves, choice",
            .told(tablePlaces, "table places by χ, a hash of what is sent")
        ) {
            started = Multiplication.Bob(name, bob, random: &marked)
        }
        guard let waiting = started.take(),
            let received = TransferExtension.Message(publish(waiting.message.bytes))
        else { return }
        let inputs = Multiplication.Inputs(
            nonce: .marked(113), key: .marked(114), check: .marked(115))
        var answer: Multiplication.Answer?
        try bench.run(
            .constant, "multiplication, Alice", secret: "leaves, Δ, inputs",
            .told(1, "the check's verdict")
        ) {
            let answered = try Multiplication.answer(name, alice, received, inputs: inputs)
            answered.shares.nonce.keep()
            answered.shares.key.keep()
            answer = answered.answer
        }
        guard let answer, let sent = published(answer) else { return }
        let box = SecretBox(waiting)
        try bench.run(
            .constant, "multiplication, Bob's end", secret: "rows, choice",
            .told(1, "the check's verdict")
        ) {
            guard let bob = box.take() else { return }
            let shares = try bob.finish(sent)
            shares.nonce.keep()
            shares.key.keep()
        }
    }

    private static func published(_ answer: Multiplication.Answer) -> Multiplication.Answer? {
        let bytes = publish(answer.corrections.bytes)
        let rest = publish(answer.check.bytes)
        let hash = publish(answer.checkHash.bytes)
        guard
            let corrections = PublicMatrix(
                bytes, rows: Transfer.rowCount, columns: Multiplication.width),
            let check = Scalar(canonical: rest)
        else { return nil }
        return Multiplication.Answer(
            corrections: corrections, check: check, checkHash: Digest(unchecked: hash))
    }

    static func sharing(_ bench: Bench) {
        var marked = MarkedRandom(120)
        var made: SecretPolynomial<Secp256k1>?
        bench.run(
            .constant, "SecretPolynomial(random:)", secret: "the coefficients",
            .told(2 * 3, "draws in range")
        ) {
            made = SecretPolynomial(degree: 2, constant: nil, random: &marked)
        }
        guard let polynomial = made.take() else { return }
        bench.run(.constant, "SecretPolynomial.share(for:)", secret: "the coefficients") {
            polynomial.share(for: two).keep()
        }
        bench.run(
            .constant, "SecretPolynomial.commitments", secret: "the coefficients",
            .told(3, "coefficients not zero")
        ) {
            for point in polynomial.commitments() ?? [] { point.keep() }
        }
        bench.run(
            .constant, "ProofOfPossession(of:)", secret: "constant and nonce",
            .told(1, "the nonce is not zero")
        ) {
            polynomial.withConstant { secret in
                let proof = ProofOfPossession(
                    of: secret, publicPart: .plain(121), run: run, index: one,
                    nonce: .marked(122))
                _ = publish(proof.response)
            }
        }
    }
}
