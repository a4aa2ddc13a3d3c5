public import ArgumentParser
public import Kamune
public import Logging

// Types of others that are arguments here. Their names on the command line are their raw values.

extension CongestionControl: ExpressibleByArgument {}

extension IdentityAlgorithm: ExpressibleByArgument {}

extension Logger.Level: @retroactive ExpressibleByArgument {}

extension AdmissionRule: ExpressibleByArgument {}
