// SPDX-License-Identifier: MIT

import Testing

@testable import elect

@Suite struct CommandLookupTests {
    @Test func commandsAreFoundAsAShellFindsThem() {
        #expect(CommandLookup.failure("/bin/sh", path: nil) == nil)
        #expect(CommandLookup.failure("sh", path: "/nowhere:/bin:/usr/bin") == nil)
        #expect(CommandLookup.failure("sh", path: "/nowhere")?.code == 127)
        #expect(CommandLookup.failure("", path: "/bin")?.code == 127)
        #expect(CommandLookup.failure("/no/such", path: nil)?.code == 127)
        #expect(CommandLookup.failure("/dev/null", path: nil)?.code == 126)
        #expect(CommandLookup.failure("/", path: nil)?.code == 126)
    }

    @Test func theMessageNamesTheCommand() {
        #expect(CommandLookup.failure("no-such", path: "/bin")?.message == "cannot run \"no-such\": command not found")
    }
}
