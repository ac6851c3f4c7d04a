//! Sets of UTF-16 code units, which ECMAScript's expressions match without the flag `u`.

/// A set of code units: inclusive ranges, sorted, with gaps between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Units(Vec<(u16, u16)>);

impl Units {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn one(unit: u16) -> Self {
        Self(vec![(unit, unit)])
    }

    /// The union of these inclusive ranges.
    pub(crate) fn ranges(ranges: impl IntoIterator<Item = (u16, u16)>) -> Self {
        let mut sorted: Vec<(u16, u16)> = Vec::new();
        for range in ranges {
            sorted.insert(sorted.partition_point(|other| *other < range), range);
        }
        let mut joined: Vec<(u16, u16)> = Vec::with_capacity(sorted.len());
        for (least, largest) in sorted {
            match joined.last_mut() {
                Some(last) if u32::from(least) <= u32::from(last.1) + 1 => last.1 = last.1.max(largest),
                _ => joined.push((least, largest)),
            }
        }
        Self(joined)
    }

    pub(crate) fn or(&self, other: &Self) -> Self {
        Self::ranges(self.0.iter().chain(&other.0).copied())
    }

    pub(crate) fn not(&self) -> Self {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut from = Some(0_u16);
        for &(least, largest) in &self.0 {
            if let Some(from) = from.filter(|from| *from < least) {
                gaps.push((from, least - 1));
            }
            from = largest.checked_add(1);
        }
        gaps.extend(from.map(|from| (from, u16::MAX)));
        Self(gaps)
    }

    pub(crate) fn contains(&self, unit: u16) -> bool {
        self.0.iter().any(|&(least, largest)| least <= unit && unit <= largest)
    }

    /// The only unit of the set. `None` if there is none, or more than one.
    pub(crate) fn only(&self) -> Option<u16> {
        match self.0.as_slice() {
            [(least, largest)] if least == largest => Some(*least),
            _ => None,
        }
    }

    /// Whether the set is empty, or has `unit` only.
    pub(crate) fn has_at_most(&self, unit: u16) -> bool {
        self.0.is_empty() || self.only() == Some(unit)
    }

    /// `\d`
    pub(super) fn digits() -> Self {
        Self(vec![(0x30, 0x39)])
    }

    /// `\w`
    pub(super) fn word() -> Self {
        Self(vec![(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)])
    }

    /// `\s` (ECMA-262 sections 12.2 and 12.3).
    pub(super) fn white_space() -> Self {
        Self(vec![
            (0x09, 0x0d),
            (0x20, 0x20),
            (0xa0, 0xa0),
            (0x1680, 0x1680),
            (0x2000, 0x200a),
            (0x2028, 0x2029),
            (0x202f, 0x202f),
            (0x205f, 0x205f),
            (0x3000, 0x3000),
            (0xfeff, 0xfeff),
        ])
    }

    /// `.`: all units except line terminators.
    pub(super) fn dot() -> Self {
        Self(vec![(0x0a, 0x0a), (0x0d, 0x0d), (0x2028, 0x2029)]).not()
    }
}
