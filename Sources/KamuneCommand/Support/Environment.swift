import Foundation

/// The environment's variables.
enum Environment {
    static var current: [String: String] { ProcessInfo.processInfo.environment }
}
