// SPDX-License-Identifier: MIT
#if ZooKeeper
internal import CElectionZooKeeper

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

private func closeDescriptor(_ descriptor: Int32) { close(descriptor) }

extension ZooKeeperHandle {
    /// Ends the connection, so that the library goes on with the session at another server.
    ///
    /// By itself it would wait for a silent peer for two thirds of the session's time-out, which is too long for a
    /// leader, and it offers no way to hurry it. So its socket is found by whom it is connected to. Another session of
    /// this process that is connected to the same server may be interrupted as well, which costs it nothing but a
    /// new connection.
    func breakConnection() {
        var peer = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isConnected = withUnsafeMutablePointer(to: &peer) { peer in
            peer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                zookeeper_get_connected_host(pointer, $0, &length) != nil
            }
        }
        guard isConnected, let directory = opendir("/dev/fd") else { return }
        defer { closedir(directory) }
        var descriptors: [Int32] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { name in
                name.withMemoryRebound(to: CChar.self, capacity: 1) { String(cString: $0) }
            }
            if let descriptor = Int32(name), descriptor > 2 { descriptors.append(descriptor) }
        }
        for descriptor in descriptors {
            // A copy stays what it is, whatever other threads open and close meanwhile.
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
            guard copy >= 0 else { continue }
            defer { closeDescriptor(copy) }
            if Self.isConnected(copy, to: peer, length) { shutdown(copy, Int32(SHUT_RDWR)) }
        }
    }

    private static func isConnected(_ socket: Int32, to peer: sockaddr_storage, _ length: socklen_t) -> Bool {
        var other = sockaddr_storage()
        var otherLength = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &other) { other in
            other.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(socket, $0, &otherLength) }
        }
        guard code == 0, otherLength == length else { return false }
        return withUnsafeBytes(of: other) { other in
            withUnsafeBytes(of: peer) { other.prefix(Int(length)).elementsEqual($0.prefix(Int(length))) }
        }
    }
}
#endif
