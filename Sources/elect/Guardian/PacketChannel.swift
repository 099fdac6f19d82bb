// SPDX-License-Identifier: MIT

#if os(Linux)
internal import CElectionSystem
internal import CElectCommand

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// One end of a pair of sockets that keeps message boundaries and tells when the other end's process is gone.
struct PacketChannel: Sendable {
    enum Received: Equatable {
        case packet(String)
        case nothing
        case closed
    }

    let descriptor: Int32

    /// Both ends, close-on-exec; nil if the system has no descriptor left.
    static func pair() -> (PacketChannel, PacketChannel)? {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return nil }
        return (PacketChannel(descriptor: ends[0]), PacketChannel(descriptor: ends[1]))
    }

    /// Sends without waiting; an end that does not listen any more is found out by reading.
    func post(_ text: String) {
        var bytes = Array(text.utf8)
        while send(descriptor, &bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) < 0,
            errno == EINTR
        {}
    }

    /// Reads one packet if there is one.
    func receive() -> Received {
        var bytes = [UInt8](repeating: 0, count: 256)
        while true {
            let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            if count > 0 { return .packet(String(decoding: bytes[..<count], as: UTF8.self)) }
            if count == 0 { return .closed }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .nothing
            default: return .closed
            }
        }
    }

    func close() {
        _ = CElectCommand.close(descriptor)
    }
}
#endif
