//! Who called whom and what it cost, as callgrind writes it.
//!
//! A profile keeps self costs by function and inclusive costs by call. What a function cost with
//! all that it called is not in there: adding up its calls counts recursion, and every function
//! that several generic copies share a name with, more than once. It is taken from the call stacks,
//! which are estimated as `gprof` does: a function's cost is shared out among its callers as their
//! calls cost, and theirs among their callers, never twice through the same function. Every
//! instruction is then in exactly one stack, and an inclusive cost is the sum of the stacks that a
//! name is in.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::names;
use super::stacks::CallStacks;

/// What one run cost, by function. Costs are instructions unless the file says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallGraph {
    functions: Vec<FunctionNode>,
    /// By caller and callee.
    calls: BTreeMap<(usize, usize), CallEdge>,
    /// By function and address, where the file has addresses.
    costs_at: BTreeMap<(usize, u64), u64>,
    /// By caller, address of the call, and callee, where the file has addresses.
    calls_at: BTreeMap<(usize, u64, usize), CallEdge>,
    index: HashMap<Symbol, usize>,
}

/// A function as the linker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FunctionNode {
    symbol: Symbol,
    name: Arc<str>,
    file: String,
    cost: u64,
}

/// How often a function was called from somewhere, and what that cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallEdge {
    /// How often.
    pub count: u64,
    /// With all that it called.
    pub cost: u64,
}

impl CallEdge {
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.cost += other.cost;
    }
}

/// A place in the machine code of an object file that something was spent at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePlace<'a> {
    /// The object file.
    pub object: &'a str,
    /// The readable name of the function.
    pub function: &'a Arc<str>,
    /// The address, as it is linked.
    pub address: u64,
}

/// Object file and linker symbol: two libraries may have functions of one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Symbol {
    object: String,
    symbol: String,
}

/// A line of a file that is not as callgrind writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallgrindSyntaxError {
    /// Counted from 1.
    pub line: usize,
    /// What was expected.
    pub expected: &'static str,
}

impl CallGraph {
    /// Reads a file that callgrind wrote, with or without compressed names and positions.
    pub fn parse(text: &str) -> Result<Self, CallgrindSyntaxError> {
        let mut reader = CallgrindReader::default();
        for (number, line) in text.lines().enumerate() {
            reader
                .line(line)
                .map_err(|expected| CallgrindSyntaxError { line: number + 1, expected })?;
        }
        Ok(reader.graph)
    }

    /// Names source files from the root of the checkout, of the registry or of the toolchain,
    /// instead of where these were when the program was built.
    pub fn shorten_files(&mut self, root: &Path) {
        for function in &mut self.functions {
            function.file = shortened(&function.file, root);
        }
    }

    /// Adds what another process, or another run of the same program, cost.
    pub fn add(&mut self, other: &Self) {
        let mut numbers = Vec::with_capacity(other.functions.len());
        for function in &other.functions {
            let number = self.intern(function.symbol.clone(), || function.file.clone());
            self.functions[number].cost += function.cost;
            numbers.push(number);
        }
        for (&(caller, callee), call) in &other.calls {
            self.call(numbers[caller], numbers[callee], *call);
        }
        for (&(function, address), cost) in &other.costs_at {
            *self.costs_at.entry((numbers[function], address)).or_default() += cost;
        }
        for (&(caller, address, callee), call) in &other.calls_at {
            let key = (numbers[caller], address, numbers[callee]);
            self.calls_at.entry(key).or_default().add(*call);
        }
    }

    /// Returns what was spent at each address, calls left out; nothing of a file without addresses.
    pub fn costs_at(&self) -> impl Iterator<Item = (CodePlace<'_>, u64)> {
        self.costs_at
            .iter()
            .map(|(&(function, address), &cost)| (self.place(function, address), cost))
    }

    /// Returns the calls at each address with the readable name of what is called.
    pub fn calls_at(&self) -> impl Iterator<Item = (CodePlace<'_>, &Arc<str>, CallEdge)> {
        self.calls_at.iter().map(|(&(caller, address, callee), &call)| {
            (self.place(caller, address), &self.functions[callee].name, call)
        })
    }

    fn place(&self, function: usize, address: u64) -> CodePlace<'_> {
        let FunctionNode { symbol, name, .. } = &self.functions[function];
        CodePlace { object: &symbol.object, function: name, address }
    }

    /// Returns what all functions cost.
    pub fn total(&self) -> u64 {
        self.functions.iter().map(|function| function.cost).sum()
    }

    /// Returns how often functions that `counts` names are called from functions that it does not.
    pub fn calls_into(&self, counts: impl Fn(&str) -> bool) -> u64 {
        let counts = self.functions.iter().map(|f| counts(&f.name)).collect::<Vec<_>>();
        let outside =
            self.calls.iter().filter(|((caller, callee), _)| counts[*callee] && !counts[*caller]);
        outside.map(|(_, call)| call.count).sum()
    }

    /// Returns the source file of every function that has one, by its readable name.
    pub fn files(&self) -> BTreeMap<Arc<str>, String> {
        let known = self.functions.iter().filter(|function| !function.file.is_empty());
        known.map(|function| (Arc::clone(&function.name), function.file.clone())).collect()
    }

    /// Returns the call stacks. Those that cost less than a 20 000th of the whole are cut off at
    /// the outer end.
    pub fn stacks(&self) -> CallStacks {
        let mut callers = vec![Vec::new(); self.functions.len()];
        for (&(caller, callee), call) in &self.calls {
            callers[callee].push((caller, call.cost));
        }
        let least = self.total() / 20_000;
        let mut walk = StackWalk { graph: self, callers, least, stacks: CallStacks::default() };
        for (number, function) in self.functions.iter().enumerate() {
            walk.up(&mut vec![number], function.cost);
        }
        walk.stacks
    }

    fn intern(&mut self, symbol: Symbol, file: impl FnOnce() -> String) -> usize {
        if let Some(&number) = self.index.get(&symbol) {
            return number;
        }
        let name = names::readable(&symbol.symbol, &symbol.object).into();
        let number = self.functions.len();
        self.functions.push(FunctionNode { symbol: symbol.clone(), name, file: file(), cost: 0 });
        self.index.insert(symbol, number);
        number
    }

    fn call(&mut self, caller: usize, callee: usize, call: CallEdge) {
        self.calls.entry((caller, callee)).or_default().add(call);
    }
}

fn shortened(file: &str, root: &Path) -> String {
    if file == "???" {
        return String::new();
    }
    if let Ok(inside) = Path::new(file).strip_prefix(root) {
        return inside.display().to_string();
    }
    if let Some((_, rest)) = file.split_once("/lib/rustlib/src/rust/") {
        return rest.to_owned();
    }
    // `/rustc/HASH/library/…` and `…/registry/src/INDEX/CRATE/…`.
    for mark in ["/rustc/", "/registry/src/"] {
        if let Some((_, rest)) = file.split_once(mark)
            && let Some((_, rest)) = rest.split_once('/')
        {
            return rest.to_owned();
        }
    }
    file.to_owned()
}

struct StackWalk<'a> {
    graph: &'a CallGraph,
    callers: Vec<Vec<(usize, u64)>>,
    least: u64,
    stacks: CallStacks,
}

impl StackWalk<'_> {
    /// Shares out the cost of the first function of `path`, innermost first, among its callers.
    fn up(&mut self, path: &mut Vec<usize>, cost: u64) {
        const DEPTH_MAX: usize = 200;
        if cost == 0 {
            return;
        }
        let callers = self.callers[path[path.len() - 1]].iter().copied();
        let callers = callers.filter(|&(caller, _)| self.leads_out(caller, path));
        let callers = callers.collect::<Vec<_>>();
        let mut whole = callers.iter().map(|(_, share)| share).sum::<u64>();
        if whole == 0 || cost <= self.least || path.len() >= DEPTH_MAX {
            let name = |&number: &usize| Arc::clone(&self.graph.functions[number].name);
            self.stacks.add(path.iter().rev().map(name).collect(), cost);
            return;
        }
        // Each takes its share of what the ones before have left, so that rounding loses nothing.
        let mut rest = cost;
        for (caller, share) in callers {
            let part = scaled(rest, share, whole);
            rest -= part;
            whole -= share;
            path.push(caller);
            self.up(path, part);
            path.pop();
        }
    }
}

impl StackWalk<'_> {
    /// Returns whether the caller is not on the path, nor called from there only: a function that
    /// is called back would else look like an outermost one.
    fn leads_out(&self, caller: usize, path: &[usize]) -> bool {
        let callers = &self.callers[caller];
        let inside = |function: usize| function == caller || path.contains(&function);
        !path.contains(&caller)
            && (callers.is_empty() || callers.iter().any(|&(function, _)| !inside(function)))
    }
}

/// Returns `cost * share / whole` for a share that is at most the whole.
fn scaled(cost: u64, share: u64, whole: u64) -> u64 {
    if share == whole {
        return cost;
    }
    let scaled = u128::from(cost) * u128::from(share) / u128::from(whole);
    u64::try_from(scaled).expect("a share is at most the whole")
}

/// What the lines read so far have set.
#[derive(Debug, Default)]
struct CallgrindReader {
    graph: CallGraph,
    objects: HashMap<String, String>,
    files: HashMap<String, String>,
    symbols: HashMap<String, String>,
    object: String,
    file: String,
    function: Option<usize>,
    called_object: Option<String>,
    called_file: Option<String>,
    called: Option<String>,
    /// The next line is the cost of this many calls, not of the function itself.
    count: Option<u64>,
    positions: usize,
    /// Whether the first position is an address, and the last one that was read.
    has_addresses: bool,
    address: u64,
    /// The next line belongs to a jump, and carries no cost.
    jump: bool,
}

impl CallgrindReader {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '*')) {
            return self.cost(line);
        }
        if let Some((key, value)) = line.split_once('=')
            && key.chars().all(|c| c.is_ascii_lowercase())
        {
            return self.assign(key, value);
        }
        if let Some(positions) = line.strip_prefix("positions: ") {
            self.positions = positions.split_whitespace().count();
            self.has_addresses = positions.starts_with("instr");
        }
        match line.split_once(':') {
            Some(_) => Ok(()),
            None => Err("a header, a name or a cost"),
        }
    }

    fn assign(&mut self, key: &str, value: &str) -> Result<(), &'static str> {
        match key {
            "ob" => self.object = expand(&mut self.objects, value)?,
            "fl" | "fi" | "fe" => self.file = expand(&mut self.files, value)?,
            "fn" => {
                let symbol = expand(&mut self.symbols, value)?;
                let file = self.file.clone();
                let symbol = Symbol { object: self.object.clone(), symbol };
                self.function = Some(self.graph.intern(symbol, || file));
            }
            "cob" => self.called_object = Some(expand(&mut self.objects, value)?),
            "cfi" | "cfl" => self.called_file = Some(expand(&mut self.files, value)?),
            "cfn" => self.called = Some(expand(&mut self.symbols, value)?),
            "calls" => {
                let count = value.split(' ').next().and_then(|count| count.parse().ok());
                self.count = Some(count.ok_or("`calls=` and a number")?);
            }
            "jump" | "jcnd" => self.jump = true,
            _ => return Err("a key that callgrind knows"),
        }
        Ok(())
    }

    fn cost(&mut self, line: &str) -> Result<(), &'static str> {
        if std::mem::take(&mut self.jump) {
            return Ok(());
        }
        let function = self.function.ok_or("`fn=` before the first cost")?;
        // A cost of zero may be left out.
        let cost = match line.split(' ').nth(self.positions.max(1)) {
            Some(cost) => cost.parse().map_err(|_| "a whole number as cost")?,
            None => 0,
        };
        let address = self.next_address(line)?;
        let Some(count) = self.count.take() else {
            self.graph.functions[function].cost += cost;
            if let Some(address) = address {
                *self.graph.costs_at.entry((function, address)).or_default() += cost;
            }
            return Ok(());
        };
        let symbol = Symbol {
            object: self.called_object.take().unwrap_or_else(|| self.object.clone()),
            symbol: self.called.take().ok_or("`cfn=` before `calls=`")?,
        };
        let file = self.called_file.take().unwrap_or_else(|| self.file.clone());
        let callee = self.graph.intern(symbol, || file);
        let call = CallEdge { count, cost };
        self.graph.call(function, callee, call);
        if let Some(address) = address {
            self.graph.calls_at.entry((function, address, callee)).or_default().add(call);
        }
        Ok(())
    }

    /// The address of a line, which may be relative to that of the line before.
    fn next_address(&mut self, line: &str) -> Result<Option<u64>, &'static str> {
        const EXPECTED: &str = "an address";
        if !self.has_addresses {
            return Ok(None);
        }
        let word = line.split(' ').next().unwrap_or_default();
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| EXPECTED);
        self.address = match (word, word.strip_prefix("0x")) {
            ("*", _) => self.address,
            (_, Some(digits)) => u64::from_str_radix(digits, 16).map_err(|_| EXPECTED)?,
            (word, None) => match (word.strip_prefix('+'), word.strip_prefix('-')) {
                (Some(more), _) => self.address.checked_add(number(more)?).ok_or(EXPECTED)?,
                (None, Some(less)) => self.address.checked_sub(number(less)?).ok_or(EXPECTED)?,
                (None, None) => number(word)?,
            },
        };
        Ok(Some(self.address))
    }
}

/// Resolves `(7) name`, which defines, `(7)`, which repeats, or a plain name.
fn expand(names: &mut HashMap<String, String>, value: &str) -> Result<String, &'static str> {
    let Some((number, name)) = value.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
        return Ok(value.to_owned());
    };
    // `(below main)` is a name.
    if !number.chars().all(|c| c.is_ascii_digit()) {
        return Ok(value.to_owned());
    }
    if let Some(name) = name.strip_prefix(' ') {
        names.insert(number.to_owned(), name.to_owned());
    }
    names.get(number).cloned().ok_or("a number that stood with its name before")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two copies of `copy`, one recursive; a call through compressed names; a jump; an inlined
    /// line; positions relative to the line before.
    const FILE: &str = "\
# callgrind format
version: 1
creator: callgrind-3.19.0
cmd:  ./api
part: 1
positions: line
events: Ir
summary: 190

ob=(1) /bin/api
fl=(1) src/main.rs
fn=(1) main
16 10
+2 5
cfn=(2) _ZN1a4copy17h0000000000000001E
calls=2 30
+1 100
cob=(2) /lib/libc.so.6
cfi=(2) malloc.c
cfn=(3) malloc
calls=3 0
* 35

fn=(2)
30 40
fi=(3) inlined.rs
* 20
fe=(1)
jump=5 31
31
cfn=(4) _ZN1a4copy17h0000000000000002E
calls=1 40
-1 40

fn=(4)
40 40
cfn=(2)
calls=1 30
* 7

ob=(2)
fl=(2)
fn=(3)
1 35
+1 40
totals: 190
";

    #[test]
    fn every_form_of_line_is_read() {
        let graph = CallGraph::parse(FILE).unwrap();
        assert_eq!(graph.total(), 190);
        let (files, stacks) = (graph.files(), graph.stacks());
        let own = stacks
            .functions()
            .into_iter()
            .map(|(name, cost)| format!("{name} {} {}", files[&name], cost.own));
        assert_eq!(
            own.collect::<Vec<_>>(),
            ["a::copy src/main.rs 100", "main src/main.rs 15", "malloc malloc.c 75"]
        );
        assert_eq!(graph.calls_into(|name| name == "malloc"), 3);
        assert_eq!(graph.calls_into(|name| name == "a::copy"), 2);
    }

    #[test]
    fn costs_and_calls_are_known_by_address() {
        let file = "positions: instr line\nevents: Ir\nob=/bin/api\nfl=a.c\nfn=main\n\
            0x1000 16 10\n+4 +1 5\n* * 2\ncfn=leaf\ncalls=3 0x2000 40\n-2 16 30\n\
            fn=leaf\n0x2000 40 30\n";
        let graph = CallGraph::parse(file).unwrap();
        assert_eq!(graph.total(), 47);
        let costs = graph
            .costs_at()
            .map(|(place, cost)| format!("{} {:x} {cost}", place.function, place.address));
        assert_eq!(costs.collect::<Vec<_>>(), ["main 1000 10", "main 1004 7", "leaf 2000 30"]);
        let calls = graph.calls_at().map(|(place, callee, call)| {
            format!("{} {:x} {callee} {} {}", place.object, place.address, call.count, call.cost)
        });
        assert_eq!(calls.collect::<Vec<_>>(), ["/bin/api 1002 leaf 3 30"]);
        let mut twice = graph.clone();
        twice.add(&graph);
        assert_eq!(twice.costs_at().map(|(_, cost)| cost).sum::<u64>(), twice.total());
    }

    #[test]
    fn recursion_and_copies_are_counted_once() {
        let functions = CallGraph::parse(FILE).unwrap().stacks().functions();
        let inclusive = functions.iter().map(|(name, cost)| (&**name, cost.inclusive));
        assert_eq!(
            inclusive.collect::<Vec<_>>(),
            [("a::copy", 100), ("main", 190), ("malloc", 75)]
        );
    }

    #[test]
    fn stacks_hold_every_instruction_once() {
        let graph = CallGraph::parse(FILE).unwrap();
        let stacks = graph.stacks();
        let stacks = stacks.iter().map(|(stack, cost)| format!("{} {cost}", stack.join(";")));
        insta::assert_snapshot!(stacks.collect::<Vec<_>>().join("\n"), @"
        main 15
        main;a::copy 60
        main;a::copy;a::copy 40
        main;malloc 75
        ");
    }

    #[test]
    fn files_are_named_without_the_place_of_the_build() {
        for (file, short) in [
            ("/home/a/api/src/main.rs", "src/main.rs"),
            ("/rustc/59807616e1/library/core/src/fmt/mod.rs", "library/core/src/fmt/mod.rs"),
            (
                "/home/a/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/fmt/mod.rs",
                "library/core/src/fmt/mod.rs",
            ),
            ("/home/a/.cargo/registry/src/index-1/tokio-1.5/src/lib.rs", "tokio-1.5/src/lib.rs"),
            ("./malloc/malloc.c", "./malloc/malloc.c"),
            ("???", ""),
        ] {
            assert_eq!(shortened(file, Path::new("/home/a/api")), short);
        }
    }

    #[test]
    fn adding_a_run_to_itself_doubles_it() {
        let once = CallGraph::parse(FILE).unwrap();
        let mut twice = once.clone();
        twice.add(&once);
        assert_eq!(twice.total(), 2 * once.total());
        assert_eq!(twice.calls_into(|name| name == "malloc"), 6);
        let mut doubled = CallStacks::default();
        for (stack, cost) in once.stacks().iter() {
            doubled.add(stack.to_vec(), 2 * cost);
        }
        assert_eq!(twice.stacks(), doubled);
    }

    #[test]
    fn a_line_that_makes_no_sense_is_named() {
        for (text, line, expected) in [
            ("events: Ir\n12 5", 2, "`fn=` before the first cost"),
            ("fn=(7)", 1, "a number that stood with its name before"),
            ("fn=(1) a\n1 x", 2, "a whole number as cost"),
            ("fn=(1) a\ncalls=x", 2, "`calls=` and a number"),
            ("fn=(1) a\ncalls=1 0\n1 1", 3, "`cfn=` before `calls=`"),
            ("fn=(1) a\ncolour=red", 2, "a key that callgrind knows"),
            ("<html>", 1, "a header, a name or a cost"),
        ] {
            assert_eq!(
                CallGraph::parse(text),
                Err(CallgrindSyntaxError { line, expected }),
                "{text}"
            );
        }
    }
}
