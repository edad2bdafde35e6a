//! Reads a batch while it arrives, compares it in blocks, and keeps the verdicts for the answer.
//!
//! Blocks are cut where a `}` and a comma end what looks like an item, without reading what comes
//! before: a text could contain such a place. It does not matter, because a block's end is only
//! believed once the block was read to it. A block that turns out to end inside of an item is
//! joined with the one after it and read again.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use tokio::task::{self, JoinHandle};

use crate::budget::Lease;
use crate::contract::RequestRefusal;
use crate::engine::{CompareEngine, DEPTH_IN_BATCH};
use crate::json::{JsonReader, JsonStop};
use crate::pool::EnginePool;
use crate::verdict::{VerdictCounts, VerdictLog};

/// Large enough to make a hand-over cheap, small enough to stay in cache and let others have a turn.
const BLOCK_BYTES: usize = 64 << 10;
/// What stands beside `comparisons` in a batch is kept until it is whole, so it is limited.
const BESIDE_BYTES_MAX: usize = 1 << 20;

/// The verdicts of a whole batch, in the order of the request.
#[derive(Debug)]
pub(super) struct BatchVerdicts {
    pub(super) logs: VecDeque<VerdictLog>,
    pub(super) counts: VerdictCounts,
    /// Bytes in all logs.
    bytes: usize,
    lease: Lease,
}

/// Where a slice of the list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListPosition {
    /// Right after `[`.
    First,
    /// After a comma.
    Item,
    /// After an item.
    Separator,
}

/// How far a block was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BlockEnd {
    /// The list goes on from byte `at`.
    Open { at: usize, place: ListPosition },
    /// The list ended before byte `at`.
    Closed { at: usize },
}

/// A block that was read.
#[derive(Debug)]
struct BlockResult {
    bytes: Vec<u8>,
    log: VerdictLog,
    end: Result<BlockEnd, JsonStop>,
}

#[derive(Debug)]
enum BlockTask {
    Finished(BlockResult),
    Running(JoinHandle<BlockResult>),
}

/// Where the end of what has arrived stands to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListState {
    Before,
    Within,
    After,
}

/// A batch that is arriving.
#[derive(Debug)]
pub(super) struct BatchReader {
    pool: Arc<EnginePool>,
    pair_bytes_max: u64,
    state: ListState,
    /// Bytes that belong to no block yet.
    pending: Vec<u8>,
    /// With fewer pending bytes than this, there is no sense in looking at them again.
    look_at: usize,
    /// How the next block begins, if all blocks in flight end at their commas.
    next: ListPosition,
    in_flight: VecDeque<BlockTask>,
    /// Bytes before the first block in flight, or before the pending ones.
    settled: u64,
    spare: Vec<Vec<u8>>,
    verdicts: BatchVerdicts,
}

impl BatchReader {
    /// `pair_bytes_max` bounds one comparison.
    pub(super) fn new(pool: Arc<EnginePool>, lease: Lease, pair_bytes_max: u64) -> Self {
        let counts = VerdictCounts::default();
        Self {
            pool,
            pair_bytes_max,
            state: ListState::Before,
            pending: Vec::new(),
            look_at: 0,
            next: ListPosition::First,
            in_flight: VecDeque::new(),
            settled: 0,
            spare: Vec::new(),
            verdicts: BatchVerdicts { logs: VecDeque::new(), counts, bytes: 0, lease },
        }
    }

    /// Takes the next bytes of the body.
    pub(super) async fn push(&mut self, bytes: &[u8]) -> Result<(), RequestRefusal> {
        for bytes in bytes.chunks(BLOCK_BYTES) {
            self.pending.extend_from_slice(bytes);
            if self.pending.len() >= self.look_at {
                self.advance().await?;
            }
            self.check_size_of_item(self.pending.len())?;
            self.verdicts.lease.cover(self.pending.len() + self.verdicts.bytes)?;
        }
        Ok(())
    }

    /// Ends the body and returns the verdicts.
    pub(super) async fn finish(mut self) -> Result<BatchVerdicts, RequestRefusal> {
        if self.state == ListState::Before {
            self.look_for_list()?;
        }
        if self.state == ListState::Within {
            let block = mem::take(&mut self.pending);
            self.launch(block);
            while !self.in_flight.is_empty() {
                let was_last = self.in_flight.len() == 1;
                self.settle().await?;
                if !was_last && self.in_flight.is_empty() && self.state == ListState::Within {
                    // All that was left has been joined, and is read at last.
                    let block = mem::take(&mut self.pending);
                    self.launch(block);
                }
            }
        }
        if self.state != ListState::After {
            return Err(RequestRefusal::Truncated);
        }
        self.check_size_beside()?;
        after_list(&self.pending).map_err(|stop| RequestRefusal::from_stop(stop, self.settled))?;
        Ok(self.verdicts)
    }

    async fn advance(&mut self) -> Result<(), RequestRefusal> {
        if self.state == ListState::Before {
            self.look_for_list()?;
        }
        if self.state == ListState::Within && self.pending.len() >= BLOCK_BYTES {
            match end_of_items(&self.pending) {
                Some(end) => {
                    let mut rest = self.spare.pop().unwrap_or_default();
                    rest.extend_from_slice(&self.pending[end..]);
                    self.pending.truncate(end);
                    let block = mem::replace(&mut self.pending, rest);
                    self.launch(block);
                    self.look_at = BLOCK_BYTES;
                    while self.in_flight.len() > self.pool.blocks_ahead() {
                        self.settle().await?;
                    }
                }
                None => self.look_at = self.pending.len() * 2,
            }
        }
        self.check_size_beside()
    }

    /// Refuses an item that begins `bytes` before what has arrived, if it is too large already.
    fn check_size_of_item(&self, bytes: usize) -> Result<(), RequestRefusal> {
        let begun = u64::try_from(bytes.saturating_sub(2 * BLOCK_BYTES)).unwrap_or(u64::MAX);
        if begun > self.pair_bytes_max {
            return Err(RequestRefusal::PairTooLarge { limit: self.pair_bytes_max });
        }
        Ok(())
    }

    fn check_size_beside(&self) -> Result<(), RequestRefusal> {
        if self.state == ListState::Within || self.pending.len() <= BESIDE_BYTES_MAX {
            return Ok(());
        }
        let expected = "at most 1 MiB may stand beside `comparisons`";
        Err(RequestRefusal::Shape { at: self.settled, expected })
    }

    /// Reads up to the `[` of the list, if that has arrived. Starts over each time, but not before
    /// the bytes have doubled, so that a body in single bytes is not read a million times.
    fn look_for_list(&mut self) -> Result<(), RequestRefusal> {
        match before_list(&self.pending) {
            Ok(at) => {
                self.pending.drain(..at);
                self.settled = u64::try_from(at).unwrap_or(u64::MAX);
                self.state = ListState::Within;
                self.look_at = BLOCK_BYTES;
                Ok(())
            }
            Err(JsonStop::Incomplete) => {
                self.look_at = self.pending.len() * 2;
                Ok(())
            }
            Err(stop) => Err(RequestRefusal::from_stop(stop, 0)),
        }
    }

    /// Begins to read a block, on another worker if there is one.
    fn launch(&mut self, block: Vec<u8>) {
        let place = mem::replace(&mut self.next, ListPosition::Item);
        let alone = self.in_flight.is_empty() && block.len() < BLOCK_BYTES;
        let task = if self.pool.has_one_worker() || alone {
            BlockTask::Finished(read(&self.pool, block, place))
        } else {
            let pool = Arc::clone(&self.pool);
            BlockTask::Running(task::spawn(async move { read(&pool, block, place) }))
        };
        self.in_flight.push_back(task);
    }

    /// Waits for the oldest block and believes it, or joins it with what comes after it.
    async fn settle(&mut self) -> Result<(), RequestRefusal> {
        let Some(task) = self.in_flight.pop_front() else { return Ok(()) };
        let BlockResult { mut bytes, log, end } = task.finish().await;
        let end = end.map_err(|stop| RequestRefusal::from_stop(stop, self.settled))?;
        self.verdicts.push(log);
        match end {
            BlockEnd::Open { at, place: ListPosition::Item } if at == bytes.len() => {
                self.settled += u64::try_from(at).unwrap_or(u64::MAX);
                bytes.clear();
                self.spare.push(bytes);
            }
            BlockEnd::Open { at, place } => {
                self.settled += u64::try_from(at).unwrap_or(u64::MAX);
                bytes.drain(..at);
                self.check_size_of_item(bytes.len())?;
                self.rejoin(bytes, place).await;
            }
            BlockEnd::Closed { at } => {
                self.settled += u64::try_from(at).unwrap_or(u64::MAX);
                bytes.drain(..at);
                while let Some(task) = self.in_flight.pop_front() {
                    bytes.extend_from_slice(&task.finish().await.bytes);
                }
                bytes.extend_from_slice(&self.pending);
                self.pending = bytes;
                (self.state, self.look_at) = (ListState::After, 0);
            }
        }
        Ok(())
    }

    /// Puts the rest of a block before what follows it, which was read from a wrong place or is not
    /// yet read at all.
    ///
    /// A rest that was joined before is not read again until it has doubled: a text full of what
    /// looks like ends of items would otherwise be read once for each of them.
    async fn rejoin(&mut self, mut rest: Vec<u8>, place: ListPosition) {
        if rest.len() < 2 * BLOCK_BYTES
            && let Some(next) = self.in_flight.pop_front()
        {
            rest.extend_from_slice(&next.finish().await.bytes);
            self.in_flight.push_front(BlockTask::Finished(read(&self.pool, rest, place)));
            return;
        }
        while let Some(next) = self.in_flight.pop_front() {
            rest.extend_from_slice(&next.finish().await.bytes);
        }
        rest.extend_from_slice(&self.pending);
        self.pending = rest;
        self.next = place;
        self.look_at = self.pending.len() * 2;
    }
}

impl BlockTask {
    async fn finish(self) -> BlockResult {
        match self {
            Self::Finished(read) => {
                // Others, such as a health check, may have waited for this thread.
                task::yield_now().await;
                read
            }
            Self::Running(handle) => handle.await.expect("reading a block does not panic"),
        }
    }
}

impl BatchVerdicts {
    /// Returns what one log holds.
    pub(super) fn of(log: VerdictLog, lease: Lease) -> Self {
        let (counts, bytes) = (log.counts, log.len());
        Self { logs: VecDeque::from([log]), counts, bytes, lease }
    }

    fn push(&mut self, mut log: VerdictLog) {
        self.counts += log.counts;
        self.bytes += log.len() + size_of::<VerdictLog>();
        log.shrink();
        self.logs.push_back(log);
    }
}

fn read(pool: &EnginePool, bytes: Vec<u8>, place: ListPosition) -> BlockResult {
    let mut log = VerdictLog::default();
    let end = pool.with_engine(|engine| read_items(engine, &bytes, place, &mut log));
    BlockResult { bytes, log, end }
}

/// Reads the items in a stretch of the list.
fn read_items(
    engine: &mut CompareEngine,
    bytes: &[u8],
    place: ListPosition,
    log: &mut VerdictLog,
) -> Result<BlockEnd, JsonStop> {
    match str::from_utf8(bytes) {
        Ok(_) => read_valid_items(engine, bytes, place, log),
        Err(error) => {
            let valid = error.valid_up_to();
            match read_valid_items(engine, &bytes[..valid], place, log)? {
                BlockEnd::Open { .. } => Err(JsonStop::Syntax(valid)),
                BlockEnd::Closed { at } => Ok(BlockEnd::Closed { at }),
            }
        }
    }
}

fn read_valid_items(
    engine: &mut CompareEngine,
    bytes: &[u8],
    mut place: ListPosition,
    log: &mut VerdictLog,
) -> Result<BlockEnd, JsonStop> {
    let mut reader = JsonReader::new(bytes, 0);
    loop {
        let at = reader.at;
        let step = match reader.peek() {
            Ok(b']') if place != ListPosition::Item => {
                return Ok(BlockEnd::Closed { at: reader.at + 1 });
            }
            Ok(b',') if place == ListPosition::Separator => {
                reader.at += 1;
                place = ListPosition::Item;
                continue;
            }
            Ok(_) if place == ListPosition::Separator => Err(JsonStop::Syntax(reader.at)),
            Ok(_) => engine.compare_next(&mut reader, DEPTH_IN_BATCH, log).map(|_| ()),
            Err(stop) => Err(stop),
        };
        match step {
            Ok(()) => place = ListPosition::Separator,
            Err(JsonStop::Incomplete) => return Ok(BlockEnd::Open { at, place }),
            Err(stop) => return Err(stop),
        }
    }
}

/// Returns the byte after the last comma that seems to follow an item.
fn end_of_items(bytes: &[u8]) -> Option<usize> {
    memchr::memrchr_iter(b',', bytes)
        .find(|comma| bytes[..*comma].trim_ascii_end().ends_with(b"}"))
        .map(|comma| comma + 1)
}

/// Returns the byte after the `[` of the list.
fn before_list(bytes: &[u8]) -> Result<usize, JsonStop> {
    let mut reader = JsonReader::new(bytes, 0);
    if reader.peek()? != b'{' {
        return Err(reader.not_this("a batch is an object"));
    }
    let mut list = None;
    let result = reader.object(|reader, key| {
        if key != b"comparisons" {
            return reader.skip_member(1);
        }
        reader.expect(b':')?;
        if reader.peek()? != b'[' {
            return Err(reader.not_this("`comparisons` is a list"));
        }
        list = Some(reader.at + 1);
        Err(JsonStop::Incomplete)
    });
    match (list, result) {
        (Some(at), _) if str::from_utf8(&bytes[..at]).is_ok() => Ok(at),
        (Some(at), _) => Err(JsonStop::Syntax(at)),
        (None, Ok(())) => Err(JsonStop::Shape(0, "a batch has `comparisons`")),
        (None, Err(stop)) => Err(stop),
    }
}

/// Reads what follows the `]` of the list, up to the end of the body.
fn after_list(bytes: &[u8]) -> Result<(), JsonStop> {
    let valid = str::from_utf8(bytes).map_err(|error| JsonStop::Syntax(error.valid_up_to()))?;
    let mut reader = JsonReader::new(valid.as_bytes(), 0);
    let mut key = Vec::new();
    while reader.peek()? != b'}' {
        reader.expect(b',')?;
        reader.key(&mut key)?;
        if key == b"comparisons" {
            return Err(JsonStop::Shape(reader.at, "`comparisons` may be there once"));
        }
        reader.skip_member(1)?;
    }
    reader.at += 1;
    reader.end()
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::budget::Budget;
    use crate::engine::EqualitySemantics;
    use crate::flat::FlatComparer;
    use crate::ignore::IgnoreRules;
    use crate::verdict::Diffs;
    use units::Ratio;

    /// The contract, as a service would declare it.
    #[derive(Deserialize)]
    struct CompareRequest {
        comparisons: Vec<PairRequest>,
    }

    #[derive(Deserialize)]
    struct PairRequest {
        xml1: String,
        xml2: String,
        ignore_paths: Option<Vec<String>>,
        ignore_properties: Option<Vec<String>>,
    }

    /// Sends `body` in parts of `step` bytes. Returns whether each pair matched, or the status.
    fn ours(body: &[u8], step: usize, workers: usize) -> Result<Vec<bool>, StatusCode> {
        let pool = Arc::new(EnginePool::new(workers, EqualitySemantics::XmlCompareApi, Ratio(0.0)));
        let lease = Lease::new(Arc::new(Budget::new(u64::MAX)));
        let mut batch = BatchReader::new(pool, lease, 1 << 30);
        let runtime = threads::start_runtime(2).unwrap();
        let verdicts = runtime.block_on(async move {
            for part in body.chunks(step) {
                batch.push(part).await?;
            }
            batch.finish().await
        });
        let verdicts = verdicts.map_err(|refusal| refusal.status())?;
        let mut matched = Vec::new();
        for log in verdicts.logs {
            let mut cursor = log.cursor();
            while !cursor.is_at_end() {
                let mut json = Vec::new();
                cursor.write_next(&mut json);
                let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
                matched.push(json["matched"] == true);
            }
        }
        Ok(matched)
    }

    fn theirs(body: &[u8]) -> Result<Vec<bool>, StatusCode> {
        let request: CompareRequest = serde_json::from_slice(body).map_err(|error| {
            if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST }
        })?;
        let (mut comparer, mut diffs) = (FlatComparer::default(), Diffs::default());
        let matched = |pair: PairRequest| {
            diffs.clear();
            let documents = [pair.xml1.as_bytes(), pair.xml2.as_bytes()];
            let paths = pair.ignore_paths.unwrap_or_default();
            let ignore = IgnoreRules::new(&paths, pair.ignore_properties.unwrap_or_default());
            let result = comparer.compare(documents, &ignore, &mut diffs);
            result.is_ok() && diffs.is_empty()
        };
        Ok(request.comparisons.into_iter().map(matched).collect())
    }

    /// A string of JSON whose text is a document, or something else.
    fn text() -> impl Strategy<Value = String> {
        prop::sample::select(vec![
            r#""<a>1</a>""#,
            r#""<a>2<\/a>""#,
            r#""<a>\u00e9\ud83d\ude00\n\"},{\"</a>""#,
            r#""<a> }, </a>""#,
            r#""<a>é</a>""#,
            r#""""#,
            r#""\ud800""#,
            r#""\udc00 ""#,
            "\"\t\"",
            "null",
            "-1.5e3",
            "[]",
        ])
        .prop_map(str::to_owned)
    }

    fn item() -> impl Strategy<Value = String> {
        let usual = text().prop_map(|text| format!(r#"{{"xml1":{text},"xml2":{text}}}"#));
        let any = (text(), text()).prop_map(|(a, b)| format!(r#"{{"xml1":{a},"xml2":{b}}}"#));
        let other = prop::sample::select(vec![
            r#""ignore_paths": ["/a/"]"#,
            r#""ignore_paths":null"#,
            r#""ignore_properties":[ "b" , "c" ]"#,
            r#""ignore_properties":[1]"#,
            r#""more":[{"deep":[true,false,null,0,-0.5E+2,"\u0041"]},{}]"#,
            r#""more":01"#,
            r#""xml1":"<a>1</a>""#,
        ]);
        let more = ((text(), text()), other).prop_map(|((a, b), other)| {
            format!(r#"{{ {other} , "xml2" : {b}, "xm\u006c1": {a} }}"#)
        });
        prop_oneof![4 => usual, 2 => any, 2 => more]
    }

    /// A body with at most one byte changed, removed or added.
    fn body() -> impl Strategy<Value = Vec<u8>> {
        let beside = || prop::sample::select(vec!["", r#""x":[1,{}] "#, r#""comparisons":[]"#]);
        let items = prop::collection::vec(item(), 0..6);
        let whole = (beside(), items, beside()).prop_map(|(before, items, after)| {
            let comma = |text: &str| if text.is_empty() { "" } else { "," };
            let (first, second) = (comma(before), comma(after));
            let items = items.join(" ,");
            format!(r#"{{{before}{first}"comparisons":[{items}]{second}{after}}}"#)
        });
        let damage = prop::option::weighted(0.5, (any::<prop::sample::Index>(), 0..3, 0..12_usize));
        (whole, damage).prop_map(|(body, damage)| {
            let mut body = body.into_bytes();
            if let Some((at, how, with)) = damage {
                let (at, with) = (at.index(body.len()), b"\"\\{}],: e0\x015"[with]);
                match how {
                    0 => body[at] = with,
                    1 => body.insert(at, with),
                    _ => drop(body.remove(at)),
                }
            }
            body
        })
    }

    proptest! {
        #[test]
        fn a_batch_is_read_as_serde_json_reads_it(body in body(), step in 1..40_usize) {
            if str::from_utf8(&body).is_err() {
                // That parser does not look at the bytes of a string that is not wanted.
                prop_assert!(ours(&body, step, 1).is_err());
                return Ok(());
            }
            let expected = theirs(&body);
            prop_assert_eq!(&ours(&body, step, 1), &expected, "{}", String::from_utf8_lossy(&body));
            prop_assert_eq!(&ours(&body, usize::MAX, 2), &expected);
        }
    }

    /// Items of many sizes, some with text that looks like the end of an item, over many blocks.
    #[test]
    fn blocks_that_were_cut_wrongly_are_joined() {
        let mut pairs = Vec::new();
        for i in 0..3_000_usize {
            let times = match i {
                10 | 2_999 => 4 * BLOCK_BYTES / 3,
                _ if i % 7 == 0 => 1 + i % 900,
                _ => 0,
            };
            let padding = " },".repeat(times);
            let [left, right] = [0, usize::from(i % 3 == 0)]
                .map(|add| serde_json::Value::from(format!("<a>{}{padding}</a>", i + add)));
            pairs.push(format!(r#"{{"xml1":{left},"xml2":{right}}}"#));
        }
        let body = format!(r#"{{"comparisons":[{}]}}"#, pairs.join(","));
        assert!(body.len() > 8 * BLOCK_BYTES);
        let expected: Vec<_> = (0..3_000).map(|i| i % 3 != 0).collect();
        for (step, workers) in [(10_000, 1), (10_000, 3), (1_000_000, 3)] {
            assert_eq!(ours(body.as_bytes(), step, workers).as_ref(), Ok(&expected));
        }
        let cut = &body.as_bytes()[..body.len() - 2];
        assert_eq!(ours(cut, 10_000, 3), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn a_body_has_to_be_utf_8() {
        for (before, text) in [("", "<a>\u{E9}</a>"), (r#""x":"é","#, "<a>1</a>")] {
            let body =
                format!(r#"{{{before}"comparisons":[{{"xml1":"{text}","xml2":"{text}"}}]}}"#);
            let at = body.find('é').unwrap();
            assert_eq!(ours(body.as_bytes(), 7, 1), Ok(vec![true]));
            let mut body = body.into_bytes();
            body[at + 1] = b'<';
            assert_eq!(ours(&body, 7, 1), Err(StatusCode::BAD_REQUEST));
        }
    }

    #[test]
    fn what_stands_beside_the_list_is_limited() {
        let padding = " ".repeat(2 * BESIDE_BYTES_MAX);
        for body in
            [format!("{{{padding}\"comparisons\":[]}}"), format!("{{\"comparisons\":[]{padding}}}")]
        {
            let status = Err(StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(ours(body.as_bytes(), 1_000, 1), status);
        }
    }
}
