// SPDX-License-Identifier: MIT
#if Redis
internal import LeaderElection
internal import NIOCore

/// Turns bytes into replies for a ``RedisConnection``.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let reader = RedisReplyReader()
    private let connection: RedisConnection
    /// Names a failure for people.
    private let diagnosis: RedisDiagnosis
    private var error: ElectionError?

    init(_ connection: RedisConnection, _ diagnosis: RedisDiagnosis) {
        self.connection = connection
        self.diagnosis = diagnosis
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard error == nil else { return }
        do {
            try unwrapInboundIn(data).withUnsafeReadableBytes { try reader.feed($0) }
            while let value = try reader.next() { connection.assumeIsolated { $0.received(value) } }
        } catch {
            fail(diagnosis.explain(error))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(diagnosis.explain(error))
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(diagnosis.closed)
        context.fireChannelInactive()
    }

    private func fail(_ error: ElectionError) {
        guard self.error == nil else { return }
        self.error = error
        connection.end(error)
    }
}
#endif
