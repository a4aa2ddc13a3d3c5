// Whoever writes a test imports one module; what lower tests use stands in one of its own.
@_exported public import KamuneTestSupport
