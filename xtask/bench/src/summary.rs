//! Statistics of measurements.

/// The median, the minimum and the maximum of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Summary {
    /// All are 0 if there are no numbers.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
        let middle = numbers.len() / 2;
        let median = if numbers.len().is_multiple_of(2) && middle > 0 {
            f64::midpoint(at(middle - 1), at(middle))
        } else {
            at(middle)
        };
        Self { median, min: at(0), max: at(numbers.len().saturating_sub(1)) }
    }
}

/// The slope of the regression line through these points (method of least squares).
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = crate::measure::number(points.len());
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let numerator: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let denominator: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    numerator / denominator
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers that a float holds exactly")]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_values_is_the_mean_of_the_two_in_the_middle() {
        assert_eq!(Summary::of([3.0, 1.0, 2.0]), Summary { median: 2.0, min: 1.0, max: 3.0 });
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Summary::of([5.0]).median, 5.0);
        assert_eq!(Summary::of([]).median, 0.0);
    }

    #[test]
    fn points_on_a_line_give_the_slope_of_that_line() {
        assert_eq!(slope(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]), 2.0);
    }
}
