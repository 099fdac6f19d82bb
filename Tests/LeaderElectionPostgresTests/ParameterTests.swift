// SPDX-License-Identifier: MIT
#if Postgres
internal import LeaderElection
internal import Testing

@testable internal import LeaderElectionPostgres

/// The server's binary format, as its documentation and sources have it.
struct ParameterTests {
    private func bytes(_ fill: (inout PostgresParameters) -> Void) -> [UInt8] {
        var parameters = PostgresParameters()
        fill(&parameters)
        return parameters.bytes
    }

    @Test func arraysOfTexts() {
        #expect(
            bytes { $0.add(texts: ["a\"b", "é"]) } == [
                0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 2, 0, 0, 0, 1,  // one dimension of two texts, from 1
                0, 0, 0, 3, 0x61, 0x22, 0x62, 0, 0, 0, 2, 0xC3, 0xA9,
            ]
        )
    }

    @Test func arraysOfIntegersWithNull() {
        #expect(
            bytes { $0.add(integers: [-2, nil]) } == [
                0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 20, 0, 0, 0, 2, 0, 0, 0, 1,
                0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 254, 255, 255, 255, 255,
            ]
        )
    }

    @Test func arraysOfNonces() {
        let nonce = Nonce(high: 0x0001_0203_0405_0607, low: 0x0809_0A0B_0C0D_0E0F)
        #expect(
            bytes { $0.add(nonces: [nonce, nil]) } == [
                0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0x0B, 0x86, 0, 0, 0, 2, 0, 0, 0, 1,
                0, 0, 0, 16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255, 255, 255, 255,
            ]
        )
    }

    @Test func anEmptyArrayHasNoDimension() {
        #expect(bytes { $0.add(texts: []) } == [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 25])
    }

    @Test func valuesAreFoundWhereTheyAre() {
        var parameters = PostgresParameters()
        parameters.add(Int64?(7))
        parameters.add(Int64?.none)
        parameters.add("")
        parameters.add(true)
        parameters.withCValues { types, values, lengths, formats in
            #expect(types == [20, 20, 25, 16])
            #expect(lengths == [8, 0, 0, 1])
            #expect(formats == [1, 1, 1, 1])
            #expect(values.map { $0 == nil } == [false, true, false, false])
            #expect(values[0]?[7] == 7)
            #expect(values[3]?[0] == 1)
        }
    }

    @Test func textsOfStatementsHaveNamesOfTheirOwn() {
        let names = ["SELECT 1", "SELECT 2", "SELECT 1 "].map { PostgresStatement($0).name }
        #expect(Set(names).count == 3)
        #expect(names[0] == PostgresStatement("SELECT 1").name)
        #expect(names.allSatisfy { $0.utf8.count <= 63 })
    }
}
#endif
