//! Pages of lists: their limits, when a page is complete, and whether another page follows.

use crate::time::Timestamp;

/// The most items of a page.
pub const LIMIT_MAX: u16 = 100;
/// The most items of a page whose request names no limit.
pub const LIMIT_DEFAULT: u16 = 10;
/// The items that a page may read beyond its limit while it searches for items that pass the filter. So the cost of a
/// page follows from its limit. If the store is slow, the page ends earlier, by [`PageBuilder::cut`].
pub const SPARE: usize = 10;
/// The most candidates in one step.
const STEP_MAX: usize = 100;

/// The most items of a requested page: 1 to [`LIMIT_MAX`]. 0 is not allowed, because an empty page would look like the
/// end of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// [`LIMIT_DEFAULT`].
    pub const DEFAULT: Limit = Limit(LIMIT_DEFAULT);

    /// None if `limit` is 0 or above [`LIMIT_MAX`].
    pub fn new(limit: u16) -> Option<Limit> {
        (1..=LIMIT_MAX).contains(&limit).then_some(Limit(limit))
    }
}

/// A request for one page of a list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The most items of the page.
    pub limit: Limit,
    /// Only items that were created at or after this time.
    pub created_from: Option<Timestamp>,
    /// Only items that were created before this time.
    pub created_before: Option<Timestamp>,
    /// The position where the previous page ended. Only items after it are listed. `None` for the first page.
    pub position: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The position after which the next page starts. None if no page follows.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The requested page of a list that was read completely. Each item comes with its position, which begins with the
    /// time of creation.
    pub fn of(list: impl Iterator<Item = (String, T)>, request: &PageRequest) -> Page<T> {
        let from = request.created_from.map(|time| time.to_string());
        let before = request.created_before.map(|time| time.to_string());
        let mut left: Vec<(String, T)> = list
            .filter(|(position, _)| from.as_ref().is_none_or(|from| position >= from))
            .filter(|(position, _)| before.as_ref().is_none_or(|before| position < before))
            .filter(|(position, _)| request.position.as_ref().is_none_or(|end| position < end))
            .collect();
        left.sort_by(|(one, _), (other, _)| other.cmp(one));
        let goes_on = left.len() > usize::from(request.limit.0);
        left.truncate(usize::from(request.limit.0));
        let next = left.last().map(|(position, _)| position.clone()).filter(|_| goes_on);
        Page { items: left.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// Builds a page from candidates in the list's order. [`PageBuilder::wanted`] is the number of candidates to read next;
/// 0 means that the page is complete.
///
/// A page is full unless the list, the most candidates of a page or the deadline ended it. After a full page of a
/// filtered list, the search continues to the next item that passes, so that `next` is `None` if nothing follows. That
/// item belongs to the next page. The candidates in front of it are not considered again.
#[derive(Debug)]
pub struct PageBuilder<T> {
    limit: usize,
    unfiltered: bool,
    candidates_max: usize,
    items: Vec<T>,
    considered: usize,
    position: Option<String>,
    overflowed: bool,
}

impl<T> PageBuilder<T> {
    /// An empty page. `unfiltered`: whether every candidate passes. `a_unit`: candidates that are read at the cost of one
    /// item. A page considers at most as many as cost its limit and [`SPARE`] items.
    pub fn new(limit: Limit, unfiltered: bool, a_unit: usize) -> PageBuilder<T> {
        let limit = usize::from(limit.0);
        let candidates_max = (limit + SPARE).saturating_mul(a_unit);
        PageBuilder {
            limit,
            unfiltered,
            candidates_max,
            items: Vec::new(),
            considered: 0,
            position: None,
            overflowed: false,
        }
    }

    /// The number of candidates to consider next. 0 if the page is complete.
    pub fn wanted(&self) -> usize {
        let step = if self.unfiltered {
            self.limit.saturating_sub(self.items.len())
        } else if self.overflowed {
            0
        } else {
            // Each step is as large as all steps before it. So a common filter reads few items, and a rare one takes
            // few calls.
            (self.considered + self.limit + 1).min(STEP_MAX)
        };
        step.min(self.candidates_max.saturating_sub(self.considered))
    }

    /// Considers the candidate at `position`. `item` is `None` if the candidate does not pass the filter. Candidates
    /// after the end of the page are ignored.
    pub fn consider(&mut self, position: String, item: Option<T>) {
        if self.overflowed {
            return;
        }
        match item {
            Some(_) if self.items.len() >= self.limit => self.overflowed = true,
            item => {
                self.items.extend(item);
                self.considered += 1;
                self.position = Some(position);
            }
        }
    }

    /// Whether an item of the next page was found.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// The incomplete page when the deadline has come. Its `next` is the last considered position. None if nothing was
    /// considered, because the client would request the same page again and again.
    pub fn cut(self) -> Option<Page<T>> {
        self.position.map(|position| Page { items: self.items, next: Some(position) })
    }

    /// The complete page. `more`: whether unconsidered candidates remain.
    pub fn finish(self, more: bool) -> Page<T> {
        let goes_on = self.overflowed || more;
        Page { items: self.items, next: self.position.filter(|_| goes_on) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pages through a list of `length` candidates, of which `passing` pass. Returns each page's items and its number
    /// of candidates.
    fn walk(length: usize, limit: u16, passing: Option<&[usize]>) -> Vec<(Vec<usize>, usize)> {
        let mut pages = Vec::new();
        let mut from = 0;
        loop {
            let mut builder = PageBuilder::new(Limit::new(limit).unwrap(), passing.is_none(), 1);
            let mut given = from;
            while builder.wanted() > 0 && given < length {
                let until = length.min(given + builder.wanted());
                for candidate in given..until {
                    let item = passing.is_none_or(|passing| passing.contains(&candidate)).then_some(candidate);
                    builder.consider(candidate.to_string(), item);
                }
                given = until;
            }
            let page = builder.finish(given < length);
            pages.push((page.items, given - from));
            match page.next {
                Some(position) => from = position.parse::<usize>().unwrap() + 1,
                None => return pages,
            }
        }
    }

    #[test]
    fn an_unfiltered_page_reads_only_its_own_items() {
        assert_eq!(walk(5, 2, None), [(vec![0, 1], 2), (vec![2, 3], 2), (vec![4], 1)]);
        assert_eq!(walk(4, 2, None), [(vec![0, 1], 2), (vec![2, 3], 2)]);
        assert_eq!(walk(0, 2, None), [(vec![], 0)]);
    }

    #[test]
    fn a_full_filtered_page_has_a_next_only_if_another_passes() {
        // 3 candidates, then 6. The third that passes belongs to the next page.
        assert_eq!(walk(10, 2, Some(&[1, 3, 8])), [(vec![1, 3], 9), (vec![8], 2)]);
        assert_eq!(walk(10, 2, Some(&[1, 3])), [(vec![1, 3], 10)]);
        assert_eq!(walk(10, 2, Some(&[])), [(vec![], 10)]);
    }

    #[test]
    fn a_page_considers_its_limit_and_ten_more_and_the_next_continues() {
        let empty: Vec<usize> = Vec::new();
        assert_eq!(walk(50, 10, Some(&[19, 20, 49])), [(vec![19], 20), (vec![20], 20), (vec![49], 10)]);
        assert_eq!(walk(40, 10, Some(&[0])), [(vec![0], 20), (empty.clone(), 20)]);
        assert_eq!(walk(12, 1, Some(&[0])), [(vec![0], 11), (empty, 1)]);
        assert_eq!(walk(220, 100, Some(&[109, 110])), [(vec![109], 110), (vec![110], 110)]);
    }

    #[test]
    fn each_step_is_as_large_as_all_before_it() {
        for (limit, a_unit, expected) in [
            (10, 1, vec![11, 9]),
            // 80 candidates cost 20 items.
            (10, 4, vec![11, 22, 44, 3]),
            (100, 1, vec![100, 10]),
            (100, 4, vec![100, 100, 100, 100, 40]),
        ] {
            let mut builder: PageBuilder<()> = PageBuilder::new(Limit::new(limit).unwrap(), false, a_unit);
            let mut steps = Vec::new();
            while builder.wanted() > 0 {
                steps.push(builder.wanted());
                (0..builder.wanted()).for_each(|_| builder.consider(String::new(), None));
            }
            assert_eq!(steps, expected, "{limit}");
        }
    }

    #[test]
    fn a_cut_page_continues_after_the_last_candidate() {
        let builder = || PageBuilder::new(Limit::new(2).unwrap(), false, 1);
        assert_eq!(builder().cut(), None::<Page<u8>>);
        let mut nothing_passed: PageBuilder<u8> = builder();
        nothing_passed.consider("8".to_owned(), None);
        assert_eq!(nothing_passed.cut(), Some(Page { items: vec![], next: Some("8".to_owned()) }));
        let mut overflowed = builder();
        for (position, item) in [("8", Some(8)), ("7", None), ("6", Some(6)), ("5", Some(5))] {
            assert!(!overflowed.overflowed());
            overflowed.consider(position.to_owned(), item);
        }
        assert!(overflowed.overflowed());
        assert_eq!(overflowed.cut(), Some(Page { items: vec![8, 6], next: Some("6".to_owned()) }));
    }

    #[test]
    fn a_completely_read_list_is_paged_newest_first_within_times() {
        let at = |second: i64| Timestamp::from_millis(second * 1000);
        let list = || [3, 1, 5, 2, 4].map(|second| (format!("{}#x", at(second)), second)).into_iter();
        let request =
            PageRequest { limit: Limit::new(2).unwrap(), created_from: None, created_before: None, position: None };
        let mut pages = vec![Page::of(list(), &request)];
        while let Some(position) = pages.last().unwrap().next.clone() {
            pages.push(Page::of(list(), &PageRequest { position: Some(position), ..request.clone() }));
        }
        let items: Vec<_> = pages.into_iter().map(|page| page.items).collect();
        assert_eq!(items, [vec![5, 4], vec![3, 2], vec![1]]);
        let between = PageRequest { created_from: Some(at(2)), created_before: Some(at(4)), ..request };
        assert_eq!(Page::of(list(), &between), Page { items: vec![3, 2], next: None });
        // A position may consist of the time only.
        let bare = list().map(|(_, second)| (at(second).to_string(), second));
        assert_eq!(Page::of(bare, &between).items, [3, 2]);
    }

    #[test]
    fn a_limit_is_from_1_to_100() {
        assert_eq!([0, 101].map(Limit::new), [None, None]);
        assert_eq!([1, 100].map(Limit::new), [Some(Limit(1)), Some(Limit(100))]);
    }
}
