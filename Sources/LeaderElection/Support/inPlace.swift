// SPDX-License-Identifier: MIT

/// Looks at a large value where it is.
///
/// A getter or method of a class's stored property works on a copy of that property, however short the look; what is
/// passed `inout` is not copied. Worth it only for what every renewal does.
func inPlace<Value, Result>(_ value: inout Value, _ look: (inout Value) -> Result) -> Result { look(&value) }
