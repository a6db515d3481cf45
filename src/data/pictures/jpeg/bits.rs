//! The markers of a JPEG, and the codes between them, one after the other.

/// The first of the eight markers between which a decoder can begin anew.
pub(super) const RESTART: u8 = 0xd0;

/// Why a file is not checked to its end.
pub(super) enum Stop {
    /// Something that the decoder will judge.
    Unclear,
    Short,
    Damaged,
    /// Its coding is not supported: which one, and what to do.
    Unread(&'static str, &'static str),
}

/// The next marker from a place on, and the position after it.
pub(super) fn marker(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
    let found = at + bytes.get(at..)?.windows(2).position(is_marker)?;
    Some((bytes[found + 1], found + 2))
}

/// A table of codes: the shorter ones first, and of equally long ones each the one before plus one.
pub(super) struct Codes {
    /// Behind the last code of each length, of 16 bits.
    ends: [u32; 16],
    /// What to add to a code's number to get that of its symbol.
    offsets: [i32; 16],
    symbols: Vec<u8>,
}

impl Codes {
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Self {
        let (mut code, mut before) = (0u32, 0i32);
        let (mut ends, mut offsets) = ([0; 16], [0; 16]);
        for (at, &count) in counts.iter().enumerate() {
            offsets[at] = before - code as i32;
            code += u32::from(count);
            before += i32::from(count);
            ends[at] = code << (15 - at);
            code <<= 1;
        }
        Self { ends, offsets, symbols: symbols.to_vec() }
    }
}

/// The bits of a scan, up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    pub at: usize,
    /// So many of the lowest are still to come.
    buffer: u64,
    left: u32,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, buffer: 0, left: 0 }
    }

    fn fill(&mut self) {
        while self.left <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { break };
            if byte == 0xff {
                // Were it a marker, no zero would follow.
                if self.bytes.get(self.at + 1) != Some(&0) {
                    break;
                }
                self.at += 1;
            }
            self.at += 1;
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.left += 8;
        }
    }

    pub fn symbol(&mut self, codes: &Codes) -> Result<u8, Stop> {
        if self.left < 16 {
            self.fill();
        }
        let next = match self.left {
            left @ 0..16 => (self.buffer << (16 - left)) & 0xffff,
            left => self.buffer >> (left - 16) & 0xffff,
        } as u32;
        let found = codes.ends.iter().position(|&end| next < end);
        let Some(at) = found else {
            return Err(if self.left < 16 { Stop::Short } else { Stop::Damaged });
        };
        self.skip(at as u32 + 1)?;
        let number = (next >> (15 - at)) as i32 + codes.offsets[at];
        usize::try_from(number)
            .ok()
            .and_then(|at| codes.symbols.get(at))
            .copied()
            .ok_or(Stop::Damaged)
    }

    pub fn skip(&mut self, count: u32) -> Result<(), Stop> {
        if self.left < count {
            self.fill();
        }
        self.left = self.left.checked_sub(count).ok_or(Stop::Short)?;
        Ok(())
    }

    /// As [`skip`](Self::skip), of up to 64.
    pub fn skip_many(&mut self, count: u32) -> Result<(), Stop> {
        self.skip(count / 2)?;
        self.skip(count - count / 2)
    }

    pub fn take(&mut self, count: u32) -> Result<usize, Stop> {
        self.skip(count)?;
        Ok((self.buffer >> self.left) as usize & ((1 << count) - 1))
    }

    /// Continues after the restart with this number, which must be the next marker.
    pub fn restart(&mut self, number: usize) -> Result<(), Stop> {
        (self.buffer, self.left) = (0, 0);
        let (marker, behind) = marker(self.bytes, self.at).ok_or(Stop::Short)?;
        self.at = behind;
        if usize::from(marker) == usize::from(RESTART) + number { Ok(()) } else { Err(Stop::Short) }
    }
}
