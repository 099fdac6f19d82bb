// SPDX-License-Identifier: MIT

internal import CElectCommand
internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Finds out before the election whether a command can be run at all; exit codes are those of a shell.
enum CommandLookup {
    /// The failure that running the command would end in; nil if it looks as if it can be run.
    static func failure(_ name: String, path: String?) -> CommandFailure? {
        if name.contains("/") { return failure(name, error: error(of: name)) }
        var result = ENOENT
        for directory in (path ?? "/bin:/usr/bin").split(separator: ":", omittingEmptySubsequences: false) {
            let found = error(of: directory.isEmpty ? "./\(name)" : "\(directory)/\(name)")
            if found == 0 { return nil }
            if found == EACCES { result = EACCES }
        }
        return failure(name, error: name.isEmpty ? ENOENT : result)
    }

    /// The failure that an error number of the system means.
    static func failure(_ name: String, error: Int32) -> CommandFailure? {
        guard error != 0 else { return nil }
        let isMissing = error == ENOENT || error == ENOTDIR
        let reason = isMissing && !name.contains("/") ? "command not found" : String(cString: strerror(error))
        return CommandFailure(code: isMissing ? 127 : 126, message: "cannot run \"\(name)\": \(reason)")
    }

    private static func error(of path: String) -> Int32 {
        var status = stat()
        guard stat(path, &status) == 0 else { return errno }
        guard status.st_mode & S_IFMT == S_IFREG else { return EACCES }
        return access(path, X_OK) == 0 ? 0 : errno
    }
}
