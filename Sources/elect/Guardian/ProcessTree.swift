// SPDX-License-Identifier: MIT

#if os(Linux)
internal import CElectionSystem
internal import CElectCommand

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// The children of this process, which as a subreaper is given whatever its descendants leave behind.
///
/// Only direct children are ever signalled: they stay in the process table until this process reaps them, so their
/// numbers cannot have been given to anybody else. Killing one level makes the next one ours.
enum ProcessTree {
    /// The children of all threads of this process, ended ones included.
    static func children() -> [pid_t] {
        var found: [pid_t] = []
        var isComplete = true
        for thread in numbers(in: "/proc/self/task") {
            guard let text = contents(of: "/proc/self/task/\(thread)/children") else {
                isComplete = false  // a thread that has just ended, or a kernel without this file
                continue
            }
            found += text.split(separator: " ").compactMap { pid_t($0) }
        }
        return isComplete ? found : childrenByScan()
    }

    /// Reaps those that have ended and says who is left.
    static func reap(_ processes: [pid_t]) -> [pid_t] {
        processes.filter { process in
            var end = elect_end()
            return elect_reap(process, 0, &end) == 0
        }
    }

    /// Tells each of the processes; one that is stopped is woken, so that it can follow.
    static func signal(_ number: Int32, to processes: [pid_t]) {
        for process in processes {
            kill(process, number)
            if number != SIGKILL { kill(process, SIGCONT) }
        }
    }

    /// Tells everyone in the group of a child that has not been reaped.
    static func signalGroup(_ number: Int32, of leader: pid_t) {
        kill(-leader, number)
        if number != SIGKILL { kill(-leader, SIGCONT) }
    }

    private static func childrenByScan() -> [pid_t] {
        let own = getpid()
        return numbers(in: "/proc").filter { process in
            // The name in parentheses may hold anything; what follows its last parenthesis is state and parent.
            guard let text = contents(of: "/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else {
                return false
            }
            let fields = text[text.index(after: end)...].split(separator: " ")
            return fields.count > 1 && pid_t(fields[1]) == own
        }
    }

    private static func numbers(in directory: String) -> [pid_t] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var found: [pid_t] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = pid_t(name) { found.append(number) }
        }
        return found
    }

    private static func contents(of path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            if count < 0 { return nil }
            if count == 0 { return String(decoding: text, as: UTF8.self) }
            text += buffer[..<count]
        }
    }
}
#endif
