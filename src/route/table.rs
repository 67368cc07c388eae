//! The table of routes: a tree of path segments.

use core::cmp::Ordering;
use core::fmt;

use super::pattern::Segment;
use super::{Method, Methods, Params, Pattern};
use crate::target::decoded;

/// Finds the route of a host, path and method.
///
/// Hosts with the same routes share a tree. Segment by segment, a literal goes before `{name}` and `{name}` before `{*name}`; a choice that
/// leads nowhere is taken back. Each node is reached by one way only, so a lookup visits no node
/// twice. It does not allocate.
#[derive(Clone, Debug)]
pub struct RouteTable {
    trees: Vec<Node>,
    /// The tree of each host.
    of_host: Vec<usize>,
}

/// A route as the table knows it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'p> {
    /// The paths it answers.
    pub pattern: &'p Pattern,
    /// The methods it answers.
    pub methods: Methods,
    /// The hosts it answers on, by place; empty for all.
    pub hosts: &'p [usize],
}

/// The answer of [`RouteTable::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    target_pointer_width = "64",
    expect(clippy::large_enum_variant, reason = "a box would be an allocation in each look-up")
)]
pub enum Lookup<'a> {
    /// The route, by its place in the list given to [`RouteTable::new`].
    Found {
        /// The place.
        route: usize,
        /// What the pattern's parameters matched.
        params: Params<'a>,
    },
    /// The path is known, but not for this method; the methods that it has.
    WrongMethod(Methods),
    /// No pattern matches.
    NotFound,
}

/// Two routes that cannot stand in one table, by their places in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The earlier one.
    pub first: usize,
    /// The one that cannot be added.
    pub second: usize,
    /// What is wrong.
    pub kind: ConflictKind,
}

/// What is wrong between two routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConflictKind {
    /// They match the same paths and have a method in common (`GET` brings `HEAD`).
    SameRoute,
    /// They name the parameter in the same place differently.
    ParamNames,
}

impl fmt::Display for ConflictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameRoute => "the same path and method are already taken ('GET' brings 'HEAD')",
            Self::ParamNames => "another route names the parameter in this place differently",
        })
    }
}

impl RouteTable {
    /// Builds the table for so many hosts, which are known by their places.
    ///
    /// # Errors
    /// Two routes of one host exclude each other.
    pub fn new<'p>(
        hosts: usize,
        routes: impl IntoIterator<Item = Entry<'p>>,
    ) -> Result<Self, Conflict> {
        let routes: Vec<Entry<'p>> = routes.into_iter().collect();
        let mut served: Vec<Vec<usize>> = Vec::new();
        let (mut trees, mut of_host) = (Vec::new(), Vec::new());
        for host in 0..hosts {
            let here = |entry: &Entry<'_>| entry.hosts.is_empty() || entry.hosts.contains(&host);
            let own: Vec<usize> = routes
                .iter()
                .enumerate()
                .filter_map(|(place, entry)| here(entry).then_some(place))
                .collect();
            let known = served.iter().position(|other| *other == own);
            of_host.push(known.unwrap_or(trees.len()));
            if known.is_none() {
                trees.push(Node::of(&routes, &own)?);
                served.push(own);
            }
        }
        Ok(Self { trees, of_host })
    }

    /// Finds the route on the `host`th host for an accepted path, whose trailing slash counts as
    /// absent.
    ///
    /// The method is looked at last: if the most specific pattern lacks it, the answer is
    /// [`Lookup::WrongMethod`], even if a less specific pattern has it. So adding a method to
    /// `/v1/{*rest}` never opens `/v1/admin`.
    pub fn find<'a>(&'a self, host: usize, path: &'a str, method: Method) -> Lookup<'a> {
        let root = self.of_host.get(host).and_then(|tree| self.trees.get(*tree));
        let Some(root) = root else { return Lookup::NotFound };
        let Some(rest) = path.strip_prefix('/') else { return Lookup::NotFound };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let mut params = Params::default();
        let Some(end) = root.find((!rest.is_empty()).then_some(rest), &mut params) else {
            return Lookup::NotFound;
        };
        match end.routes.iter().find(|(methods, _)| methods.contains(method)) {
            Some(&(_, route)) => Lookup::Found { route, params },
            None => end.methods().map_or(Lookup::NotFound, Lookup::WrongMethod),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Sorted by their text.
    literals: Vec<(Box<str>, Self)>,
    param: Option<Box<Branch<Self>>>,
    tail: Option<Box<Branch<End>>>,
    end: End,
}

/// A parameter, with the first route that named it.
#[derive(Clone, Debug)]
struct Branch<T> {
    name: Box<str>,
    owner: usize,
    below: T,
}

/// The routes of one pattern.
#[derive(Clone, Debug, Default)]
struct End {
    routes: Vec<(Methods, usize)>,
}

impl Node {
    /// The tree of the routes at these places.
    fn of(routes: &[Entry<'_>], places: &[usize]) -> Result<Self, Conflict> {
        let mut root = Self::default();
        for &place in places {
            if let Some(Entry { pattern, methods, .. }) = routes.get(place) {
                root.insert(pattern.segments(), *methods, place)?;
            }
        }
        Ok(root)
    }

    fn insert(
        &mut self,
        segments: &[Segment],
        methods: Methods,
        route: usize,
    ) -> Result<(), Conflict> {
        match segments.split_first() {
            None => self.end.add(methods, route),
            Some((Segment::Literal(text), below)) => {
                self.literal(text).insert(below, methods, route)
            }
            Some((Segment::Param(name), below)) => {
                Branch::named(&mut self.param, name, route)?.insert(below, methods, route)
            }
            Some((Segment::Tail(name), _)) => {
                Branch::named(&mut self.tail, name, route)?.add(methods, route)
            }
        }
    }

    /// The node below a literal, made if it is new.
    fn literal(&mut self, text: &str) -> &mut Self {
        let place = self.literals.partition_point(|(own, _)| **own < *text);
        if self.literals.get(place).is_none_or(|(own, _)| **own != *text) {
            self.literals.insert(place, (text.into(), Self::default()));
        }
        #[expect(clippy::indexing_slicing, reason = "an element was found or inserted there")]
        &mut self.literals[place].1
    }

    /// The most specific end for the remaining segments; `None` for no segment.
    fn find<'a>(&'a self, rest: Option<&'a str>, params: &mut Params<'a>) -> Option<&'a End> {
        let Some(rest) = rest else { return self.end.taken() };
        let (segment, below) = match rest.split_once('/') {
            Some((segment, below)) => (segment, Some(below)),
            None => (rest, None),
        };
        if segment.is_empty() {
            return None;
        }
        let before = params.len();
        if let Ok(place) = self.literals.binary_search_by(|(text, _)| compare(text, segment))
            && let Some((_, node)) = self.literals.get(place)
            && let Some(end) = node.find(below, params)
        {
            return Some(end);
        }
        if let Some(branch) = &self.param {
            params.push(&branch.name, segment);
            if let Some(end) = branch.below.find(below, params) {
                return Some(end);
            }
            params.truncate(before);
        }
        let branch = self.tail.as_ref()?;
        params.push(&branch.name, rest);
        branch.below.taken()
    }
}

impl<T: Default> Branch<T> {
    /// What is below the parameter, made if it is new.
    fn named<'n>(
        slot: &'n mut Option<Box<Self>>,
        name: &str,
        route: usize,
    ) -> Result<&'n mut T, Conflict> {
        let fresh = || Box::new(Self { name: name.into(), owner: route, below: T::default() });
        let branch = slot.get_or_insert_with(fresh);
        if *branch.name == *name {
            Ok(&mut branch.below)
        } else {
            let kind = ConflictKind::ParamNames;
            Err(Conflict { first: branch.owner, second: route, kind })
        }
    }
}

impl End {
    fn add(&mut self, methods: Methods, route: usize) -> Result<(), Conflict> {
        if let Some(&(_, first)) = self.routes.iter().find(|(taken, _)| taken.overlaps(methods)) {
            return Err(Conflict { first, second: route, kind: ConflictKind::SameRoute });
        }
        self.routes.push((methods, route));
        Ok(())
    }

    const fn taken(&self) -> Option<&Self> {
        if self.routes.is_empty() { None } else { Some(self) }
    }

    fn methods(&self) -> Option<Methods> {
        self.routes.iter().map(|&(methods, _)| methods).reduce(Methods::union)
    }
}

/// Orders a literal and a raw segment by what the segment stands for.
fn compare(literal: &str, segment: &str) -> Ordering {
    if segment.contains('%') {
        literal.bytes().cmp(decoded(segment))
    } else {
        literal.as_bytes().cmp(segment.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'p>(pattern: &'p Pattern, method: Method, hosts: &'p [usize]) -> Entry<'p> {
        Entry { pattern, methods: Methods::of(method), hosts }
    }

    fn table(routes: &[(&str, Method)]) -> Result<RouteTable, Conflict> {
        let patterns: Vec<_> =
            routes.iter().map(|(text, m)| (Pattern::parse(text).unwrap(), *m)).collect();
        RouteTable::new(1, patterns.iter().map(|(pattern, method)| entry(pattern, *method, &[])))
    }

    #[test]
    fn conflicts_name_both_routes() {
        let get = Method::Get;
        for (routes, first, second, kind) in [
            (vec![("/a", get), ("/b", get), ("/a", get)], 0, 2, ConflictKind::SameRoute),
            (vec![("/a", get), ("/a", Method::Head)], 0, 1, ConflictKind::SameRoute),
            (vec![("/!", get), ("/%21", get)], 0, 1, ConflictKind::SameRoute),
            (vec![("/{x}", get), ("/{y}/b", get)], 0, 1, ConflictKind::ParamNames),
            (vec![("/{*x}", get), ("/{*y}", Method::Put)], 0, 1, ConflictKind::ParamNames),
        ] {
            assert_eq!(table(&routes).unwrap_err(), Conflict { first, second, kind }, "{routes:?}");
        }
        assert!(table(&[("/{x}", get), ("/{x}", Method::Put), ("/{*y}", get)]).is_ok());
    }

    #[test]
    fn hosts_with_the_same_routes_share_a_tree() {
        let [all, one, other] = ["/all", "/{x}", "/{y}"].map(|text| Pattern::parse(text).unwrap());
        let get = |pattern, hosts| entry(pattern, Method::Get, hosts);
        let routes = [get(&all, &[]), get(&one, &[1]), get(&other, &[2])];
        let table = RouteTable::new(4, routes).unwrap();
        assert_eq!((table.trees.len(), table.of_host.as_slice()), (3, [0, 1, 2, 0].as_slice()));
        let found = |host| match table.find(host, "/a", Method::Get) {
            Lookup::Found { route, .. } => Some(route),
            Lookup::WrongMethod(_) | Lookup::NotFound => None,
        };
        assert_eq!([0, 1, 2, 3, 4].map(found), [None, Some(1), Some(2), None, None]);
        let routes = [get(&all, &[]), get(&all, &[1])];
        let conflict = Conflict { first: 0, second: 1, kind: ConflictKind::SameRoute };
        assert_eq!(RouteTable::new(2, routes).unwrap_err(), conflict);
    }

    #[test]
    fn a_choice_that_leads_nowhere_leaves_no_params() {
        for (tail, expected) in [
            ("/{*rest}", vec![("rest", "1/2/3")]),
            ("/{a}/{*rest}", vec![("a", "1"), ("rest", "2/3")]),
        ] {
            let table = table(&[("/{a}/{b}/x", Method::Get), (tail, Method::Get)]).unwrap();
            let Lookup::Found { route: 1, params } = table.find(0, "/1/2/3", Method::Get) else {
                panic!("not {tail}")
            };
            assert_eq!(params.iter().collect::<Vec<_>>(), expected);
        }
    }
}
