//! Knows whether answers tell by themselves when they came, so that an open load need not be woken by them.

/// Longest sleep from which no answer wakes: about what a socket's buffers hold of several.
const SLEEP_NS_MAX: u64 = 1_000_000;

/// Largest answer, in bytes, that surely waits in a socket's buffer without slowing the target.
const SMALL_BYTES_MAX: u64 = 32 * 1024;

/// Whether the system tells when an answer has arrived. If so, it need not be read at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ArrivalNotice {
    Given,
    /// Not yet, or not any more.
    #[default]
    Absent,
}

/// What is known of the arrival of answers.
#[derive(Debug, Default)]
pub(super) struct ArrivalWatch {
    notice: ArrivalNotice,
    /// When the last wait ended, and the one before it.
    looked_ns: [u64; 2],
    /// Size of the largest answer so far.
    largest_bytes: u64,
}

impl ArrivalWatch {
    /// A drive begins.
    pub(super) fn begin(&mut self, now_ns: u64) {
        (self.notice, self.looked_ns) = (ArrivalNotice::Absent, [now_ns; 2]);
    }

    /// A wait has ended.
    pub(super) fn looked(&mut self, now_ns: u64) {
        self.looked_ns = [now_ns, self.looked_ns[0]];
    }

    /// Whether nothing need be heard for so long: what is answered meanwhile fits into the sockets' buffers, and the
    /// system tells when it came.
    ///
    /// It halves the number of wakes, which is most of what an open load costs.
    pub(super) fn may_sleep(&self, in_ns: u64) -> bool {
        (1..=SLEEP_NS_MAX).contains(&in_ns)
            && self.notice == ArrivalNotice::Given
            && self.largest_bytes <= SMALL_BYTES_MAX
    }

    /// Returns when an answer of so many bytes was there: when the system got it, if it tells that, and not when it
    /// is read, which is now. `is_announced` is whether every arrival was announced when it was last looked.
    pub(super) fn done_ns(
        &mut self,
        arrived_ns: Option<u64>,
        sent_ns: u64,
        now_ns: u64,
        bytes: u64,
        is_announced: bool,
    ) -> u64 {
        self.largest_bytes = self.largest_bytes.max(bytes);
        self.notice =
            if arrived_ns.is_some() { ArrivalNotice::Given } else { ArrivalNotice::Absent };
        // The system's time of day can be set, and tells of the last packet that came, not of one
        // that was sent again and filled a gap before it. But an answer that was whole when we last
        // looked would have been announced then, if there was room for all announcements.
        let [_, looked_ns] = self.looked_ns;
        let earliest_ns = if is_announced { sent_ns.max(looked_ns) } else { sent_ns };
        arrived_ns.map_or(now_ns, |arrived_ns| arrived_ns.clamp(earliest_ns, now_ns))
    }
}
