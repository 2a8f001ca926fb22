/* The outline of a contact, drawn point by point as Voronota (apollota's constrained_contact_contour) does: how it is
   discretised is part of the areas on which networks have been trained. */

#include "contour.h"

#include <string.h>

#define PI 3.14159265358979323846

/* Points in one gap. Balls touch over a few Å; where a bisector's formula breaks down, since one ball as good as lies
   within another, points come to lie kilometres away. */
#define MOST_POINTS 10000

/* ---- Lines ----------------------------------------------------------------------------------------------------- */

static bool has_room_for(Contour *line, ptrdiff_t n)
{
    if (n <= line->room)
        return true;
    ptrdiff_t room = n + n / 2 + 64;
    double **numbers[] = {&line->x, &line->y, &line->z, &line->depth};
    int32_t **indices[] = {&line->left, &line->right};
    for (int i = 0; i < 4; i++) {
        double *moved = grown(*numbers[i], room, sizeof *moved);
        if (!moved)
            return false;
        *numbers[i] = moved;
    }
    for (int i = 0; i < 2; i++) {
        int32_t *moved = grown(*indices[i], room, sizeof *moved);
        if (!moved)
            return false;
        *indices[i] = moved;
    }
    line->room = room;
    return true;
}

static void free_line(Contour *line)
{
    free(line->x);
    free(line->y);
    free(line->z);
    free(line->depth);
    free(line->left);
    free(line->right);
}

static Point point_of(const Contour *line, ptrdiff_t i)
{
    return (Point){line->x[i], line->y[i], line->z[i]};
}

static void move_point(Contour *line, ptrdiff_t i, Point p)
{
    line->x[i] = p.x;
    line->y[i] = p.y;
    line->z[i] = p.z;
}

static void set_point(Contour *line, ptrdiff_t i, Point p, int32_t left, int32_t right)
{
    move_point(line, i, p);
    line->left[i] = left;
    line->right[i] = right;
}

/* Appends n points of another line; their depths are set when the line is whole. */
static void append(Contour *line, const Contour *from, ptrdiff_t first, ptrdiff_t n)
{
    memcpy(line->x + line->n, from->x + first, (size_t)n * sizeof *line->x);
    memcpy(line->y + line->n, from->y + first, (size_t)n * sizeof *line->y);
    memcpy(line->z + line->n, from->z + first, (size_t)n * sizeof *line->z);
    memcpy(line->left + line->n, from->left + first, (size_t)n * sizeof *line->left);
    memcpy(line->right + line->n, from->right + first, (size_t)n * sizeof *line->right);
    line->n += n;
}

WIDE_TOO static void set_depths(Contour *line, const Ball *a)
{
    double *restrict depth = line->depth;
    for (ptrdiff_t i = 0; i < line->n; i++) {
        double dx = line->x[i] - a->centre.x, dy = line->y[i] - a->centre.y, dz = line->z[i] - a->centre.z;
        depth[i] = sqrt(dx * dx + dy * dy + dz * dz) - a->radius;
    }
}

static void exchange(Contour *one, Contour *other)
{
    Contour kept = *one;
    *one = *other;
    *other = kept;
}

/* A line at the end of a list, empty; NULL where there is no room. */
static Contour *new_line(Contours *lines)
{
    if (lines->n == lines->room) {
        ptrdiff_t room = 2 * lines->room + 4;
        Contour *moved = grown(lines->line, room, sizeof *moved);
        if (!moved)
            return NULL;
        memset(moved + lines->room, 0, (size_t)(room - lines->room) * sizeof *moved);
        lines->line = moved;
        lines->room = room;
    }
    Contour *line = &lines->line[lines->n++];
    line->n = 0;
    return line;
}

/* Room for marks, cuts and gaps in a line of n points. */
static bool has_room_to_cut(Outline *outline, ptrdiff_t n)
{
    if (n <= outline->room)
        return true;
    ptrdiff_t room = n + n / 2 + 64;
    ptrdiff_t **indices[] = {&outline->cut_point, &outline->gap, &outline->n_between};
    for (int i = 0; i < 3; i++) {
        ptrdiff_t *moved = grown(*indices[i], 2 * room, sizeof *moved);
        if (!moved)
            return false;
        *indices[i] = moved;
    }
    bool *is_out = grown(outline->is_out, room, sizeof *is_out);
    if (!is_out)
        return false;
    outline->is_out = is_out;
    outline->room = room;
    return true;
}

void free_outline(Outline *outline)
{
    Contours *lists[] = {&outline->now, &outline->next};
    for (int i = 0; i < 2; i++) {
        for (ptrdiff_t j = 0; j < lists[i]->room; j++)
            free_line(&lists[i]->line[j]);
        free(lists[i]->line);
    }
    free_line(&outline->cut);
    free_line(&outline->mended);
    free_line(&outline->new_points);
    free(outline->cut_point);
    free(outline->gap);
    free(outline->n_between);
    free(outline->is_out);
}

/* ---- The first line -------------------------------------------------------------------------------------------- */

/* Voronota's choice among the directions at right angles to another. */
static Point any_normal_of(Point v)
{
    const double none = 1e-10;
    bool x = fabs(v.x) > none, y = fabs(v.y) > none, z = fabs(v.z) > none;
    if (x && (y || z))
        return unit(cross(v, (Point){-v.x, v.y, v.z}));
    if (y && (x || z))
        return unit(cross(v, (Point){v.x, -v.y, v.z}));
    return x ? (Point){0, 1, 0} : (Point){1, 0, 0};
}

Status begin_with_circle(Outline *outline, const Contact *contact, Point centre, double radius, bool is_on_bisector)
{
    Point axis = unit(minus(contact->b->centre, contact->a->centre));
    Point first = times(any_normal_of(axis), radius), second = cross(axis, first);
    double step = 360 * (contact->step / (2 * PI * radius)); /* in degrees */
    step = step < 60 ? step : 60;
    step = step > 5 ? step : 5;
    outline->now.n = 0;
    Contour *line = new_line(&outline->now);
    if (!line || !has_room_for(line, 74))
        return NO_MEMORY;
    double cosine = cos(step * PI / 180), sine = sin(step * PI / 180), x = 1, y = 0;
    for (double angle = 0; angle < 360; angle += step) {
        Point p = plus(centre, plus(times(first, x), times(second, y)));
        set_point(line, line->n++, p, contact->a_index, contact->a_index);
        double turned = x * cosine - y * sine;
        y = x * sine + y * cosine;
        x = turned;
    }
    if (!is_on_bisector)
        project_onto(&contact->ab, line->n, line->x, line->y, line->z);
    set_depths(line, contact->a);
    return DONE;
}

/* ---- A cut ----------------------------------------------------------------------------------------------------- */

/* Marks the points of a line that are nearer to the surface of c than to a's; how many. */
WIDE_TOO static ptrdiff_t mark(Outline *outline, const Contour *line, const Ball *c)
{
    ptrdiff_t n_out = 0;
    for (ptrdiff_t i = 0; i < line->n; i++) {
        double dx = line->x[i] - c->centre.x, dy = line->y[i] - c->centre.y, dz = line->z[i] - c->centre.z;
        outline->is_out[i] = sqrt(dx * dx + dy * dy + dz * dz) - c->radius < line->depth[i];
        n_out += outline->is_out[i];
    }
    return n_out;
}

static Point where_cut(const Bisector *ac, Point out, Point in)
{
    return plus(out, times(unit(minus(in, out)), meets_at(ac, out, in)));
}

/* Puts what is not marked of a line into `outline->cut`. At both ends of what goes comes in the point in which the line
   crosses the bisector of a and c; `outline->cut_point` lists these in the order of their coming. Returns how many. */
static ptrdiff_t take_marked(Outline *outline, const Contour *line, const Bisector *ac, int32_t c)
{
    const bool *is_out = outline->is_out;
    Contour *cut = &outline->cut;
    ptrdiff_t last = line->n - 1, n_cuts = 0;
    bool begins_cut = is_out[last] && !is_out[0]; /* then the point before the first one comes in */
    cut->n = begins_cut;
    for (ptrdiff_t i = 0; i <= last; i++) {
        if (!is_out[i]) {
            ptrdiff_t first = i;
            while (i < last && !is_out[i + 1])
                i++;
            append(cut, line, first, i + 1 - first);
            continue;
        }
        Point out = point_of(line, i);
        ptrdiff_t before = cut->n - 1;
        int32_t left = before >= 0 ? cut->right[before] : is_out[last] ? c : line->right[last];
        if (left != c) {
            Point in = before >= 0 ? point_of(cut, before) : point_of(line, last);
            set_point(cut, cut->n, where_cut(ac, out, in), left, c);
            outline->cut_point[n_cuts++] = cut->n++;
        }
        if (i < last && !is_out[i + 1]) {
            set_point(cut, cut->n, where_cut(ac, out, point_of(line, i + 1)), c, line->left[i + 1]);
            outline->cut_point[n_cuts++] = cut->n++;
        } else if (i == last && begins_cut) {
            set_point(cut, 0, where_cut(ac, out, point_of(line, 0)), c, line->left[0]);
            outline->cut_point[n_cuts++] = 0;
        }
    }
    return n_cuts;
}

/* Pairs the points in which a line was cut: as they came or shifted by one, whichever are nearer to each other. */
static void pair_cuts(const Contour *line, ptrdiff_t *cut_point, ptrdiff_t n)
{
    double sums[2] = {0, 0};
    for (int shifted = 0; shifted < 2; shifted++) {
        if (shifted) {
            ptrdiff_t last = cut_point[n - 1];
            memmove(cut_point + 1, cut_point, (size_t)(n - 1) * sizeof *cut_point);
            cut_point[0] = last;
        }
        for (ptrdiff_t i = 0; i < n; i += 2)
            sums[shifted] += distance(point_of(line, cut_point[i]), point_of(line, cut_point[i + 1]));
    }
    if (sums[0] < sums[1]) {
        ptrdiff_t first = cut_point[0];
        memmove(cut_point, cut_point + 1, (size_t)(n - 1) * sizeof *cut_point);
        cut_point[n - 1] = first;
    }
}

/* Adds the lines into which a line falls that was cut more than once: from one point of a pair to before the other one.
   Pairs that are neighbours make none; if all are, the line stays one. Returns NO_MEMORY or DONE. */
static Status split(Outline *outline, ptrdiff_t n_cuts)
{
    const Contour *cut = &outline->cut;
    pair_cuts(cut, outline->cut_point, n_cuts);
    for (ptrdiff_t i = 0; i < n_cuts; i += 2) {
        ptrdiff_t from = outline->cut_point[i], until = outline->cut_point[i + 1];
        if ((from + 1 < cut->n ? from + 1 : 0) == until)
            continue;
        Contour *line = new_line(&outline->next);
        if (!line || !has_room_for(line, cut->n))
            return NO_MEMORY;
        if (until > from) {
            append(line, cut, from, until - from);
        } else {
            append(line, cut, from, cut->n - from);
            append(line, cut, 0, until);
        }
    }
    return DONE;
}

/* ---- Mending --------------------------------------------------------------------------------------------------- */

/* The bisectors on all of which points along a cut by c have to lie. */
typedef struct {
    Bisector bc, ac;
    const Bisector *ab;
} Cutting;

static void project_onto_all(const Cutting *cutting, int times_over, Contour *points)
{
    for (int i = 0; i < times_over; i++) {
        project_onto(&cutting->bc, points->n, points->x, points->y, points->z);
        project_onto(&cutting->ac, points->n, points->x, points->y, points->z);
        project_onto(cutting->ab, points->n, points->x, points->y, points->z);
    }
}

/* Finds the gaps that a cut by c has left in a line, each by the point before it; how many. */
static ptrdiff_t find_gaps(const Contour *line, int32_t c, ptrdiff_t *gap)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t i = 0; i < line->n; i++)
        if (line->right[i] == c && line->left[i] != c && line->left[i + 1 < line->n ? i + 1 : 0] == c)
            gap[n++] = i;
    return n;
}

/* Moves the ends of gaps to where a, b and c are equally far. */
static void move_ends(Outline *outline, const Contact *contact, Contour *line, const Cutting *cutting, ptrdiff_t n_gaps)
{
    Contour *ends = &outline->new_points;
    ends->n = 2 * n_gaps;
    for (ptrdiff_t g = 0; g < n_gaps; g++) {
        ptrdiff_t i = outline->gap[g], next = i + 1 < line->n ? i + 1 : 0;
        move_point(ends, 2 * g, point_of(line, i));
        move_point(ends, 2 * g + 1, point_of(line, next));
    }
    project_onto_all(cutting, contact->projections, ends);
    for (ptrdiff_t g = 0; g < n_gaps; g++) {
        ptrdiff_t i = outline->gap[g], next = i + 1 < line->n ? i + 1 : 0;
        move_point(line, i, point_of(ends, 2 * g));
        move_point(line, next, point_of(ends, 2 * g + 1));
    }
}

/* Counts the points that come into each gap; how many in all. */
static ptrdiff_t count_new_points(Outline *outline, const Contact *contact, const Contour *line, ptrdiff_t n_gaps)
{
    ptrdiff_t n = 0;
    for (ptrdiff_t g = 0; g < n_gaps; g++) {
        ptrdiff_t i = outline->gap[g];
        double steps = distance(point_of(line, i), point_of(line, i + 1 < line->n ? i + 1 : 0)) / contact->step;
        outline->n_between[g] = steps > 1 ? (ptrdiff_t)fmin(floor(steps + 0.5), MOST_POINTS) - 1 : 0;
        n += outline->n_between[g];
    }
    return n;
}

/* Makes the points between the ends of gaps: at equal distances, then moved to where a, b and c are equally far. */
static void make_new_points(Outline *outline, const Contact *contact, const Contour *line, const Cutting *cutting, int32_t c,
                         ptrdiff_t n_gaps)
{
    Contour *between = &outline->new_points;
    between->n = 0;
    for (ptrdiff_t g = 0; g < n_gaps; g++) {
        ptrdiff_t i = outline->gap[g], n = outline->n_between[g];
        if (!n)
            continue;
        Point from = point_of(line, i), to = point_of(line, i + 1 < line->n ? i + 1 : 0);
        Point direction = unit(minus(to, from));
        double leap = distance(from, to) / (double)(n + 1);
        for (ptrdiff_t j = 1; j <= n; j++)
            set_point(between, between->n++, plus(from, times(direction, leap * (double)j)), c, c);
    }
    project_onto_all(cutting, contact->projections, between);
}

/* Fills the gaps of a line. Points of a gap at its end come in before its first point. */
static Status mend(Outline *outline, const Contact *contact, Contour *line, const Cutting *cutting, int32_t c)
{
    if (!has_room_to_cut(outline, line->n))
        return NO_MEMORY;
    ptrdiff_t n_gaps = find_gaps(line, c, outline->gap), done = 0, used = 0;
    if (n_gaps) {
        if (!has_room_for(&outline->new_points, 2 * n_gaps))
            return NO_MEMORY;
        move_ends(outline, contact, line, cutting, n_gaps);
        ptrdiff_t n_new = count_new_points(outline, contact, line, n_gaps);
        if (!has_room_for(&outline->new_points, n_new) || !has_room_for(&outline->mended, line->n + n_new))
            return NO_MEMORY;
        make_new_points(outline, contact, line, cutting, c, n_gaps);
        Contour *mended = &outline->mended;
        mended->n = 0;
        ptrdiff_t at_end = outline->gap[n_gaps - 1] == line->n - 1 ? outline->n_between[n_gaps - 1] : 0;
        append(mended, &outline->new_points, n_new - at_end, at_end);
        for (ptrdiff_t g = 0; g < n_gaps && outline->gap[g] < line->n - 1; g++) {
            append(mended, line, done, outline->gap[g] + 1 - done);
            append(mended, &outline->new_points, used, outline->n_between[g]);
            done = outline->gap[g] + 1;
            used += outline->n_between[g];
        }
        append(mended, line, done, line->n - done);
        exchange(line, mended);
    }
    set_depths(line, contact->a);
    return DONE;
}

/* ---- All lines ------------------------------------------------------------------------------------------------- */

static bool has_point_within(const Contour *line, Point around, double radius)
{
    for (ptrdiff_t i = 0; i < line->n; i++)
        if (distance(around, point_of(line, i)) <= radius)
            return true;
    return false;
}

/* Cuts a line and adds what is left of it to the next lines. */
static Status cut_line(Outline *outline, const Contact *contact, const Contour *line, const Cutting *cutting, int32_t c)
{
    if (!has_room_for(&outline->cut, 2 * line->n + 2))
        return NO_MEMORY;
    ptrdiff_t kept = outline->next.n, n_cuts = take_marked(outline, line, &cutting->ac, c);
    if (n_cuts > 2 && n_cuts % 2 == 0 && split(outline, n_cuts) != DONE)
        return NO_MEMORY;
    if (outline->next.n == kept) {
        Contour *rest = new_line(&outline->next);
        if (!rest)
            return NO_MEMORY;
        exchange(rest, &outline->cut);
    }
    for (ptrdiff_t i = kept; i < outline->next.n; i++) {
        Contour *part = &outline->next.line[i];
        if (mend(outline, contact, part, cutting, c) != DONE)
            return NO_MEMORY;
        if (has_point_within(part, contact->around, contact->within))
            exchange(&outline->next.line[kept++], part);
    }
    outline->next.n = kept;
    return DONE;
}

Status cut_outline(Outline *outline, const Contact *contact, const Ball *c, int32_t c_index)
{
    bool is_cutting = false;
    Cutting cutting = {.ab = &contact->ab};
    outline->next.n = 0;
    for (ptrdiff_t i = 0; i < outline->now.n; i++) {
        Contour *line = &outline->now.line[i];
        if (!has_room_to_cut(outline, line->n))
            return NO_MEMORY;
        ptrdiff_t n_out = mark(outline, line, c);
        if (!n_out) {
            Contour *whole = new_line(&outline->next);
            if (!whole)
                return NO_MEMORY;
            exchange(whole, line);
        } else if (n_out < line->n) {
            if (!is_cutting) {
                cutting.ac = bisector_of(contact->a, c);
                cutting.bc = bisector_of(contact->b, c);
                is_cutting = true;
            }
            if (cut_line(outline, contact, line, &cutting, c_index) != DONE)
                return NO_MEMORY;
        }
    }
    Contours now = outline->now;
    outline->now = outline->next;
    outline->next = now;
    return DONE;
}

static bool is_strange(const Contour *line, ptrdiff_t i, const Contact *contact, double furthest)
{
    double from_b = distance(contact->b->centre, point_of(line, i)) - contact->b->radius;
    return line->depth[i] > furthest || from_b > furthest;
}

void draw_in(Outline *outline, const Contact *contact, double furthest)
{
    Point middle = times(plus(contact->a->centre, contact->b->centre), 0.5);
    double within = fmin(contact->a->radius, contact->b->radius);
    for (ptrdiff_t k = 0; k < outline->now.n; k++) {
        Contour *line = &outline->now.line[k];
        for (ptrdiff_t i = 0; i < line->n; i++)
            if (is_strange(line, i, contact, furthest))
                move_point(line, i, plus(middle, times(unit(minus(point_of(line, i), middle)), within)));
    }
}

double area_inside(const Outline *outline, const Contact *contact)
{
    double area = 0;
    for (ptrdiff_t k = 0; k < outline->now.n; k++) {
        const Contour *line = &outline->now.line[k];
        Point centre = {0, 0, 0};
        for (ptrdiff_t i = 0; i < line->n; i++)
            centre = plus(centre, point_of(line, i));
        centre = times(centre, 1 / (double)line->n);
        project_onto(&contact->ab, 1, &centre.x, &centre.y, &centre.z);
        for (ptrdiff_t i = 0; i < line->n; i++) {
            Point one = minus(point_of(line, i), centre);
            Point next = minus(point_of(line, i + 1 < line->n ? i + 1 : 0), centre);
            area += length(cross(one, next)) / 2;
        }
    }
    return area;
}
