// SPDX-License-Identifier: MIT

/// A store that also keeps small notes beside a group's lease: who waits for it, and what an operator asks of it.
///
/// Notes are for people and for order, never for safety: whatever they say, a lease is only ever moved by a conditional
/// write. They expire, so that a candidate that died is not listed for ever. What every implementation promises:
/// - **One answer per request, in order**, as with the verbs of ``ElectionProvider``; throwing means that the outcome of
///   all is unknown.
/// - **A note is found from when its write was answered until its lifetime is over or it is removed**, and not much
///   longer; the store forgets it by itself. A note of the same group and key is replaced.
/// - **A note has no effect on the group's lease**, nor on its terms.
/// - **What is not allowed is refused as a whole**: if ``NoteRequest/validate()`` or ``NoteRemoval/validate()`` throws for
///   one request of a batch, the call throws that error before anything is changed.
/// - ``ProviderHint/noted(_:)`` reaches whoever listens after a write with ``NoteRequest/isNews`` set, where the store can
///   push at all. A store that has to know what to listen for may take ``notes(of:)`` for the wish to hear of a group.
public protocol NoteKeepingProvider: ElectionProvider {
    /// Writes each note in full.
    func write(_ requests: [NoteRequest]) async throws -> [NoteAnswer]

    /// Removes each note that is there; one that is not there is no error.
    func remove(_ requests: [NoteRemoval]) async throws -> [NoteAnswer]

    /// Reads what notes each group has, in the order of their keys.
    func notes(of groups: [ElectionGroup]) async throws -> [NotesAnswer]
}

/// Asks to keep one note.
public struct NoteRequest: Hashable, Sendable {
    /// The group that the note belongs to.
    public var group: ElectionGroup
    /// Tells the notes of a group apart: 1 to 64 ASCII letters, digits and `-`.
    public var key: String
    /// What it says; at most 8 KiB of UTF-8, any character but U+0000.
    public var text: String
    /// How long it is kept unless it is written again; a millisecond to a day.
    public var lifetime: Duration
    /// Whether others are to be told at once; false if it only repeats what was written before.
    public var isNews: Bool
    /// How long the caller will wait for the answer.
    public var timeout: Duration

    /// A note of one group.
    public init(
        group: ElectionGroup,
        key: String,
        text: String,
        lifetime: Duration,
        isNews: Bool,
        timeout: Duration
    ) {
        self.group = group
        self.key = key
        self.text = text
        self.lifetime = lifetime
        self.isNews = isNews
        self.timeout = timeout
    }
}

/// Asks to remove one note.
public struct NoteRemoval: Hashable, Sendable {
    /// The group that the note belongs to.
    public var group: ElectionGroup
    /// The key under which it was written.
    public var key: String
    /// How long the caller will wait for the answer.
    public var timeout: Duration

    /// A removal of one note.
    public init(group: ElectionGroup, key: String, timeout: Duration) {
        self.group = group
        self.key = key
        self.timeout = timeout
    }
}

/// What came of a ``NoteRequest`` or a ``NoteRemoval``.
public enum NoteAnswer: Sendable {
    /// The store has done it.
    case done
    /// The outcome is not known; asking again is safe.
    case unknown(any Error)
}

/// The notes of one group.
public enum NotesAnswer: Sendable {
    /// Those that have not expired.
    case found([GroupNote])
    /// The store could not be read.
    case unknown(any Error)
}

/// A note as the store holds it.
public struct GroupNote: Hashable, Sendable {
    /// The key under which it was written.
    public var key: String
    /// What it says.
    public var text: String

    /// A note as read from a store.
    public init(key: String, text: String) {
        self.key = key
        self.text = text
    }
}
