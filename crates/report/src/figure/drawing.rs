//! A picture under construction.

use std::fmt::{self, Write as _};

use super::paint::PaintRole;
use crate::markup::escaped;

/// Memory takes all that is written.
const STRING: &str = "writing to a string does not fail";

/// A picture in its own units, with a name and a description for those who do not see it.
#[derive(Debug, Clone)]
pub(crate) struct SvgDrawing {
    width: f64,
    height: f64,
    name: String,
    description: String,
    body: String,
}

/// Where a text is fixed to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextAnchor {
    Start,
    Middle,
    End,
}

/// A place in a picture, from its left and upper edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DrawingPoint {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// A rectangle in a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DrawingBox {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// A coordinate with a decimal, if it has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coordinate(pub(crate) f64);

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounded = (self.0 * 10.0).round() / 10.0;
        // Minus zero is written as zero.
        write!(f, "{}", rounded + 0.0)
    }
}

impl SvgDrawing {
    /// Returns an empty picture. The name says what it shows, the description what is to be seen.
    pub(crate) fn new(size: (f64, f64), name: &str, description: &str) -> Self {
        let (width, height) = size;
        let (name, description) = (name.to_owned(), description.to_owned());
        Self { width, height, name, description, body: String::new() }
    }

    /// Adds markup of which every part is known to be safe.
    pub(crate) fn add(&mut self, markup: fmt::Arguments<'_>) {
        self.body.write_fmt(markup).expect(STRING);
    }

    /// Adds a filled rectangle.
    pub(crate) fn fill_box(&mut self, at: DrawingBox, role: PaintRole) {
        let DrawingBox { x, y, width, height } = at;
        let [x, y, width, height] = [x, y, width, height].map(Coordinate);
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" {}/>",
            role.fill()
        ));
    }

    /// Adds a line through points, broken where one is missing.
    pub(crate) fn line(
        &mut self,
        points: impl IntoIterator<Item = Option<DrawingPoint>>,
        role: PaintRole,
        stroke_width: f64,
    ) {
        let mut path = String::new();
        let mut command = 'M';
        for point in points {
            let Some(DrawingPoint { x, y }) = point else {
                command = 'M';
                continue;
            };
            write!(path, "{command}{} {}", Coordinate(x), Coordinate(y)).expect(STRING);
            command = 'L';
        }
        if !path.is_empty() {
            self.path(&path, role, stroke_width);
        }
    }

    /// Adds a path that is drawn as a line.
    pub(crate) fn path(&mut self, path: &str, role: PaintRole, stroke_width: f64) {
        self.add(format_args!(
            "<path d=\"{path}\" {} stroke-width=\"{stroke_width}\"/>",
            role.stroke()
        ));
    }

    /// Adds a dashed path.
    pub(crate) fn dashed(&mut self, path: &str, role: PaintRole, stroke_width: f64) {
        self.add(format_args!(
            "<path d=\"{path}\" {} stroke-width=\"{stroke_width}\" stroke-dasharray=\"3 3\"/>",
            role.stroke()
        ));
    }

    /// Adds dots: one path of points without length, which a round line makes dots of.
    pub(crate) fn dots(
        &mut self,
        points: impl IntoIterator<Item = DrawingPoint>,
        role: PaintRole,
        size: f64,
    ) {
        let mut path = String::new();
        for DrawingPoint { x, y } in points {
            write!(path, "M{} {}h0", Coordinate(x), Coordinate(y)).expect(STRING);
        }
        if !path.is_empty() {
            self.add(format_args!(
                "<path d=\"{path}\" {} stroke-width=\"{size}\" stroke-linecap=\"round\"/>",
                role.stroke()
            ));
        }
    }

    /// Adds rings: hollow dots.
    pub(crate) fn rings(
        &mut self,
        points: impl IntoIterator<Item = DrawingPoint>,
        role: PaintRole,
        radius: f64,
    ) {
        let mut path = String::new();
        let (r, across) = (Coordinate(radius), Coordinate(2.0 * radius));
        for DrawingPoint { x, y } in points {
            let (x, y) = (Coordinate(x - radius), Coordinate(y));
            write!(path, "M{x} {y}a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0 -{across} 0")
                .expect(STRING);
        }
        if !path.is_empty() {
            self.path(&path, role, 1.3);
        }
    }

    /// Adds words.
    pub(crate) fn text(
        &mut self,
        at: DrawingPoint,
        anchor: TextAnchor,
        role: PaintRole,
        text: &str,
    ) {
        let anchor = match anchor {
            TextAnchor::Start => "",
            TextAnchor::Middle => " text-anchor=\"middle\"",
            TextAnchor::End => " text-anchor=\"end\"",
        };
        let (x, y, text) = (Coordinate(at.x), Coordinate(at.y), escaped(text));
        self.add(format_args!("<text x=\"{x}\" y=\"{y}\"{anchor} {}>{text}</text>", role.fill()));
    }

    /// Returns the picture as an element with its name and description.
    pub(crate) fn render(&self) -> String {
        let (name, description) = (escaped(&self.name), escaped(&self.description));
        let described = format!("<title>{name}</title><desc>{description}</desc>");
        self.element(&format!("role=\"img\" {FONT}"), &described)
    }

    /// Returns the picture as an element that adds nothing to the words beside it.
    pub(crate) fn render_hidden(&self) -> String {
        self.element(&format!("aria-hidden=\"true\" {FONT}"), "")
    }

    fn element(&self, attributes: &str, described: &str) -> String {
        let (width, height) = (Coordinate(self.width), Coordinate(self.height));
        format!(
            "<svg viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             {attributes}>{described}{}</svg>",
            self.body
        )
    }
}

/// What words in a picture look like where there is no style sheet.
const FONT: &str = "font-family=\"system-ui,sans-serif\" font-size=\"12\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_name_and_a_description_and_no_markup_of_others() {
        let mut drawing = SvgDrawing::new((100.0, 20.0), "a <b>", "x & y");
        let at = DrawingPoint { x: 1.25, y: -0.01 };
        drawing.text(at, TextAnchor::End, PaintRole::Text, "<script>");
        let svg = drawing.render();
        for expected in [
            "<title>a &lt;b&gt;</title><desc>x &amp; y</desc>",
            "viewBox=\"0 0 100 20\"",
            "x=\"1.3\" y=\"0\" text-anchor=\"end\" class=\"f-ink\" fill=\"#4b5563\">&lt;script&gt;</text>",
        ] {
            assert!(svg.contains(expected), "{expected} is not in {svg}");
        }
        assert!(!svg.contains("style="), "{svg}");
    }

    #[test]
    fn a_line_is_broken_where_a_point_is_missing() {
        let mut drawing = SvgDrawing::new((9.0, 9.0), "", "");
        let point = |x| Some(DrawingPoint { x, y: 2.0 });
        drawing.line([point(1.0), point(2.0), None, point(4.0)], PaintRole::Head, 1.0);
        assert!(drawing.render().contains("d=\"M1 2L2 2M4 2\""), "{}", drawing.render());
        let before = drawing.render();
        drawing.line([None], PaintRole::Head, 1.0);
        drawing.dots([], PaintRole::Head, 2.0);
        assert_eq!(drawing.render(), before, "nothing is drawn of nothing");
    }
}
