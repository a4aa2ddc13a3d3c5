extension [[UInt8]] {
    /// Checks that no frame is larger than allowed.
    func checkSizes(limit: Int) throws(TransportError) {
        for frame in self where frame.count > limit {
            throw .frameTooLarge(size: frame.count, limit: limit)
        }
    }
}
