/// The sizes of specification section 5.2.
enum Transfer {
    /// λ_c: base oblivious transfers of a pair's setup.
    static let baseCount = 256
    /// k: levels of a tree.
    static let treeDepth = 4
    /// q: leaves of a tree.
    static let leafCount = 16
    static let treeCount = baseCount / treeDepth
    static let seedBytes = 32
    /// ξ: rows of a multiplication, 256 + 2·128.
    static let rowCount = 512
    /// S: bits of padding, which hide the choice bits in the check.
    static let checkBits = 128
    static let columnBits = rowCount + checkBits
    static let columnBytes = columnBits / 8
    static let columnWords = columnBits / 64
    /// M: blocks of a row that are multiplied in the check.
    static let checkBlocks = rowCount / checkBits

    static let leavesBytes = treeCount * leafCount * seedBytes
}
