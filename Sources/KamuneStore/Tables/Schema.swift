import GRDB

/// The tables, and how they came to be.
///
/// What stands in the open is what a thief of the file may see: how many rows there are, how large, in which order
/// messages were stored, which of them belong to one (nameless) peer or session, and which wait to be delivered, in which
/// order; and in all, how many names the accepted peers bear, how many keys were given up, of how many peers an address is
/// known (and how large all of one peer's are), and how many strangers have asked to talk, but not whose they are.
enum Schema {
    /// The column that holds the sealed record in every table.
    static let sealed = "sealed"

    /// The row of the table `chore` that says that something was deleted whose bytes may still be in the file.
    static let erasureChore = 1

    /// The row of the table `chore` that says that the aliases of peers are not made yet. A migration cannot make them: it
    /// runs before the store is unlocked.
    static let aliasChore = 2

    /// "KMNE": tells SQLite's files apart (PRAGMA application_id).
    static let applicationID = 0x4B4D_4E45

    /// The format that this version writes, and the last that it reads (PRAGMA user_version). Grows with every migration.
    static let version = 4

    /// Versions beyond this one are none: the number is damaged.
    private static let plausibleVersions = 1...10_000

    /// Refuses a version that this program does not know.
    static func check(version: Int) throws(StoreError) {
        guard plausibleVersions.contains(version) else { throw .damaged(what: "the version of the file") }
        guard version <= Self.version else { throw .newerVersion(found: version, supported: Self.version) }
    }

    /// Refuses a database whose version is not known, or which has other migrations than belong to it: nothing may be migrated
    /// there.
    static func check(_ database: Database) throws {
        // The log brings its own idea of the version.
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        try check(version: version)
        let applied = try migrator.appliedIdentifiers(database)
        // The migrations are numbered.
        guard applied == Set((1...version).map(String.init)) else {
            throw StoreError.damaged(what: "the structure of the file")
        }
    }

    /// All migrations, in order. A migration that was published is never changed again.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1", foreignKeyChecks: .immediate) { database in
            try database.execute(sql: versionOne)
            try database.execute(sql: "PRAGMA user_version = 1")
        }
        migrator.registerMigration("2", foreignKeyChecks: .immediate) { database in
            try database.execute(sql: versionTwo)
            try database.execute(sql: "INSERT INTO chore (id) VALUES (?)", arguments: [aliasChore])
            try database.execute(sql: "PRAGMA user_version = 2")
        }
        migrator.registerMigration("3", foreignKeyChecks: .immediate) { database in
            try database.execute(sql: versionThree)
            try database.execute(sql: "PRAGMA user_version = 3")
        }
        migrator.registerMigration("4", foreignKeyChecks: .immediate) { database in
            try database.execute(sql: versionFour)
            try database.execute(sql: "PRAGMA user_version = 4")
        }
        return migrator
    }

    /// Whether all migrations were made, and what they have left to be done.
    static func isComplete(_ database: Database) throws -> Bool {
        guard try migrator.hasCompletedMigrations(database) else { return false }
        return try Bool.fetchOne(
            database, sql: "SELECT NOT EXISTS (SELECT 1 FROM chore WHERE id = ?)", arguments: [aliasChore]) == true
    }

    private static let versionTwo = """
        CREATE TABLE alias (
            id INTEGER PRIMARY KEY,
            lookup BLOB NOT NULL UNIQUE,
            sealed BLOB NOT NULL
        );
        """

    private static let versionOne = """
        CREATE TABLE vault (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            protected INTEGER NOT NULL,
            cost INTEGER NOT NULL,
            block INTEGER NOT NULL,
            parallelism INTEGER NOT NULL,
            salt BLOB NOT NULL,
            sealed BLOB NOT NULL
        );
        CREATE TABLE identity (
            id INTEGER PRIMARY KEY,
            lookup BLOB NOT NULL UNIQUE,
            sealed BLOB NOT NULL
        );
        CREATE TABLE peer (
            id INTEGER PRIMARY KEY,
            lookup BLOB NOT NULL UNIQUE,
            sealed BLOB NOT NULL
        );
        CREATE TABLE session (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            peer INTEGER NOT NULL,
            lookup BLOB NOT NULL UNIQUE,
            sealed BLOB NOT NULL
        );
        CREATE INDEX session_peer ON session (peer, id);
        CREATE TABLE message (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            peer INTEGER NOT NULL,
            stream INTEGER NOT NULL,
            number INTEGER NOT NULL,
            pending INTEGER,
            sealed BLOB NOT NULL
        );
        CREATE INDEX message_peer ON message (peer, id);
        CREATE UNIQUE INDEX message_identifier ON message (stream, number);
        CREATE INDEX message_pending ON message (peer, id) WHERE pending IS NOT NULL;
        CREATE TABLE token (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session INTEGER NOT NULL,
            lookup BLOB NOT NULL UNIQUE,
            sealed BLOB NOT NULL
        );
        CREATE INDEX token_session ON token (session, id);
        CREATE TABLE chore (
            id INTEGER PRIMARY KEY
        );
        CREATE TABLE setting (
            id INTEGER PRIMARY KEY,
            lookup BLOB NOT NULL UNIQUE,
            sealed BLOB NOT NULL
        );
        """

    /// What waits has a turn in which it is sent: at first the one in which it was stored. How far it was handed over is not
    /// known of what earlier versions sent, so all of it is sent again, and what the peer has already it knows by its name.
    private static let versionThree = """
        ALTER TABLE message RENAME COLUMN pending TO turn;
        UPDATE message SET turn = id WHERE turn IS NOT NULL;
        DROP INDEX message_pending;
        CREATE INDEX message_turn ON message (peer, turn) WHERE turn IS NOT NULL;
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY,
            sealed BLOB NOT NULL
        );
        """

    /// A peer's addresses stand under the peer's number, all in one record.
    private static let versionFour = """
        CREATE TABLE contact (
            id INTEGER PRIMARY KEY,
            sealed BLOB NOT NULL
        );
        CREATE TABLE request (
            id INTEGER PRIMARY KEY,
            lookup BLOB NOT NULL UNIQUE,
            sealed BLOB NOT NULL
        );
        """
}
