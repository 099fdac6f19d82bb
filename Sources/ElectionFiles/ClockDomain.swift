// SPDX-License-Identifier: MIT

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Within which readings of the boot clock can be compared.
package enum ClockDomain {
    /// The kernel's boot id and the process's time namespace; nil if the system does not tell.
    ///
    /// Two processes with equal values read the same `CLOCK_BOOTTIME`. Read anew at each call: a process that is
    /// restored from a checkpoint goes on in another domain.
    package static var current: String? {
        #if os(Linux)
        guard let bytes = try? readFile("/proc/sys/kernel/random/boot_id", atMost: 64) else { return nil }
        let boot = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard boot.utf8.count == 36 else { return nil }
        var target = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/ns/time", &target, 63)
        // Kernels before 5.6 have no time namespaces: the boot alone decides.
        guard length > 0 else { return boot + "/time:[]" }
        return boot + "/" + String(decoding: target.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #else
        var size = 64
        var text = [CChar](repeating: 0, count: size)
        guard sysctlbyname("kern.bootsessionuuid", &text, &size, nil, 0) == 0, size > 1 else { return nil }
        return String(decoding: text.prefix(size - 1).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #endif
    }
}
