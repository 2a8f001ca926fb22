/* The face of two balls a and b in the Voronoi diagram of balls, as seen from a.

   In direction u from a's centre, the bisector of a with ball i lies at the distance ρ with

       1/ρ = (s + X·u)/h,    X = xᵢ - xₐ,    s = rᵢ - rₐ,    h = (|X|² - s²)/2.

   So the directions in which b's bisector comes before c's fulfil a condition that is linear in u, and the face is an
   intersection of caps of the unit sphere, small and large: one for each other ball, and that of the directions in which
   there is a bisector with b at all. Two circles meet in two points at most. Each is a vertex of the face if it fulfils
   all other conditions, and ρ - rₐ is the radius of the ball that touches all four there.

   Balls are taken in the order of how deep they cut, and first those that cut the part that a probe could touch; once
   the face is known to end within what a probe touches, no ball further away than two probes' breadth can matter. Where
   it goes on, it is found to its end, since a ball that bounds it out there has a say in Voronota's outline too. */

#include "face.h"

/* Å by which a ball may reach into the ball at a vertex, as with Voronota: where five balls touch one. */
#define OVERLAP 1e-10

/* Å; breadth of the shells beyond two probes. The last one takes the rest. */
#define SHELL 1.5
#define N_SHELLS ((ptrdiff_t)(sizeof((View *)0)->shell_end / sizeof(ptrdiff_t)))

#define NOBODY (-1)

/* Room for at least so many items, more than asked for so that it is not asked for often; false where there is none. */
static bool has_room(void **items, ptrdiff_t *room, ptrdiff_t wanted, size_t size)
{
    if (wanted <= *room)
        return true;
    ptrdiff_t more = wanted + wanted / 2 + 32;
    void *moved = grown(*items, more, size);
    if (!moved)
        return false;
    *items = moved;
    *room = more;
    return true;
}

/* ---- What a sees ----------------------------------------------------------------------------------------------- */

static bool is_near(const Ball *a, const Ball *i, double probe)
{
    Point to = minus(i->centre, a->centre);
    double reach = a->radius + i->radius + 2 * probe;
    return dot(to, to) < reach * reach;
}

static Seen seen_from(const Ball *a, const Ball *i, ptrdiff_t ball)
{
    Seen seen = {.to = minus(i->centre, a->centre), .s = i->radius - a->radius, .ball = ball};
    double squared = dot(seen.to, seen.to);
    seen.h = (squared - seen.s * seen.s) / 2;
    seen.gap = sqrt(squared) - a->radius - i->radius;
    return seen;
}

static Status add_near(View *view, const Ball *balls, ptrdiff_t a, ptrdiff_t i, double probe)
{
    if (i == a || !is_near(&balls[a], &balls[i], probe))
        return DONE;
    if (!has_room((void **)&view->of, &view->room, view->n_near + 1, sizeof *view->of))
        return NO_MEMORY;
    Seen seen = seen_from(&balls[a], &balls[i], i);
    view->is_hidden = view->is_hidden || (seen.h <= 0 && seen.s > 0);
    view->of[view->n_near++] = seen;
    return DONE;
}

Status look_from(View *view, const Ball *balls, const Cells *cells, ptrdiff_t a, double probe, Checkpoint *checkpoint)
{
    view->n_near = view->n = 0;
    view->is_hidden = false;
    const double place[3] = {balls[a].centre.x, balls[a].centre.y, balls[a].centre.z};
    Surroundings around = {.n = -1};
    look_around(cells, place, &around);
    for (int k = 0; k < around.n; k++) {
        const Cell *cell = &cells->cell[around.cell[k]];
        if (is_interrupted(checkpoint, 10 + 4 * cell->n_points))
            return INTERRUPTED;
        if (squared_distance_to_box(cell, place) > cells->size * cells->size)
            continue;
        for (ptrdiff_t at = cell->first; at < cell->first + cell->n_points; at++)
            if (add_near(view, balls, a, cells->point[at], probe) != DONE)
                return NO_MEMORY;
    }
    view->n = view->n_near;
    return DONE;
}

static ptrdiff_t shell_of(double gap, double probe)
{
    double shell = (gap - 2 * probe) / SHELL;
    return shell <= 0 ? 0 : shell < (double)N_SHELLS - 1 ? (ptrdiff_t)shell : N_SHELLS - 1;
}

/* Adds what is not near, sorted into shells. */
static Status look_further(View *view, const Ball *balls, ptrdiff_t n, ptrdiff_t a, double probe)
{
    if (view->n > view->n_near)
        return DONE;
    if (!has_room((void **)&view->of, &view->room, n, sizeof *view->of))
        return NO_MEMORY;
    ptrdiff_t count[sizeof view->shell_end / sizeof *view->shell_end] = {0};
    Seen *far = view->of + view->n_near;
    for (ptrdiff_t i = 0; i < n; i++)
        if (i != a && !is_near(&balls[a], &balls[i], probe))
            count[shell_of(seen_from(&balls[a], &balls[i], i).gap, probe)]++;
    for (ptrdiff_t shell = 0, end = 0; shell < N_SHELLS; shell++) {
        view->shell_end[shell] = end;
        end += count[shell];
    }
    for (ptrdiff_t i = 0; i < n; i++)
        if (i != a && !is_near(&balls[a], &balls[i], probe)) {
            Seen seen = seen_from(&balls[a], &balls[i], i);
            far[view->shell_end[shell_of(seen.gap, probe)]++] = seen;
        }
    view->n = view->n_near + view->shell_end[N_SHELLS - 1];
    return DONE;
}

/* ---- Cuts, and where their circles meet ------------------------------------------------------------------------ */

/* Above zero where u is left by a cut, zero on its circle. */
static double left_at(const Cut *cut, Point u)
{
    return cut->k + dot(cut->n, u);
}

/* The condition that b's bisector comes before c's, multiplied by c's h: about the Å between the two. */
static Cut cut_by(const Seen *b, double inverse_of_h, const Seen *c, ptrdiff_t seen)
{
    double ratio = c->h * inverse_of_h;
    Cut cut = {.n = minus(times(b->to, ratio), c->to), .k = b->s * ratio - c->s, .seen = seen};
    cut.n2 = dot(cut.n, cut.n);
    return cut;
}

/* The condition that a's bisector with b lies within ρ, 1/ρ given, multiplied by b's h. */
static Cut limited_to(const Seen *b, double inverse_of_distance)
{
    Cut cut = {.n = b->to, .k = b->s - b->h * inverse_of_distance, .seen = NOBODY};
    cut.n2 = dot(cut.n, cut.n);
    return cut;
}

/* The directions whose angle with an axis has at least some cosine. */
typedef struct {
    Point axis;
    double cosine, sine;
} Cap;

static double sine_of(double cosine)
{
    return cosine * cosine < 1 ? sqrt(1 - cosine * cosine) : 0;
}

/* Whether a cut takes something of a cap. The least of k + n·u over the cap is at the direction opposite to n if that
   belongs to it, else on its rim. */
static bool takes_some_of(const Cap *cap, const Cut *cut)
{
    double along = dot(cut->n, cap->axis), across2 = cut->n2 - along * along;
    double rim2 = cap->cosine * cap->cosine * cut->n2, k = cut->k - OVERLAP;
    bool has_opposite = cap->cosine >= 0 ? along <= 0 && along * along >= rim2 : along <= 0 || along * along <= rim2;
    if (has_opposite)
        return k < 0 || k * k < cut->n2;
    double at_middle = k + along * cap->cosine;
    return at_middle < 0 || at_middle * at_middle < across2 * cap->sine * cap->sine;
}

/* The two points of the unit sphere in which circles meet; false where they do not. */
static bool meet(const Cut *c, const Cut *d, Point u[2])
{
    /* The planes of the circles share a line, which is nearest to the sphere's centre at (αn + βm)/determinant. */
    double cd = dot(c->n, d->n), determinant = c->n2 * d->n2 - cd * cd;
    double alpha = d->k * cd - c->k * d->n2, beta = c->k * cd - d->k * c->n2;
    double inside = determinant + alpha * c->k + beta * d->k;
    if (!(inside > 0 && determinant > 1e-14 * c->n2 * d->n2))
        return false;
    double divided = 1 / determinant;
    Point nearest = times(plus(times(c->n, alpha), times(d->n, beta)), divided);
    Point along = times(cross(c->n, d->n), sqrt(inside) * divided);
    u[0] = plus(nearest, along);
    u[1] = minus(nearest, along);
    return true;
}

/* Any point of a circle; false where the cut takes all of the sphere or nothing. */
static bool any_of_circle(const Cut *cut, Point *u)
{
    double radius2 = 1 - cut->k * cut->k / cut->n2;
    if (!(radius2 > 0))
        return false;
    Point n = unit(cut->n), other = fabs(n.x) < 0.6 ? (Point){1, 0, 0} : (Point){0, 1, 0};
    *u = plus(times(cut->n, -cut->k / cut->n2), times(unit(cross(n, other)), sqrt(radius2)));
    return true;
}

/* The point of a circle that is furthest from a direction; false where all are as far. */
static bool furthest_of_circle(const Cut *cut, Point from, Point *u)
{
    double radius2 = 1 - cut->k * cut->k / cut->n2;
    Point across = minus(from, times(cut->n, dot(from, cut->n) / cut->n2));
    double across2 = dot(across, across);
    if (!(radius2 > 0 && across2 > 0))
        return false;
    *u = minus(times(cut->n, -cut->k / cut->n2), times(across, sqrt(radius2 / across2)));
    return true;
}

/* The middle of what a cut takes, where that is less than half of the sphere. */
static bool middle_of_taken(const Cut *cut, Point *u)
{
    if (!(cut->k > 0 && cut->k * cut->k < cut->n2))
        return false;
    *u = times(cut->n, -1 / sqrt(cut->n2));
    return true;
}

/* ---- The face, cut by cut -------------------------------------------------------------------------------------- */

/* Whether all cuts but one leave a direction. */
static bool is_left(const Face *face, Point u, ptrdiff_t but)
{
    for (ptrdiff_t i = 0; i < face->n_cuts; i++)
        if (left_at(&face->cuts[i], u) < -OVERLAP && i != but)
            return false;
    return true;
}

/* Radius of the ball that touches a and b, in a direction in which it does. */
static double radius_at(const Seen *b, Point u, double radius_a)
{
    return b->h / (b->s + dot(b->to, u)) - radius_a;
}

static bool add_vertex(Face *face, Vertex vertex)
{
    if (!has_room((void **)&face->vertices, &face->room_vertices, face->n_vertices + 1, sizeof *face->vertices))
        return false;
    face->vertices[face->n_vertices++] = vertex;
    face->cuts[vertex.one].n_vertices++;
    face->cuts[vertex.other].n_vertices++;
    return true;
}

/* Takes away the vertices that a cut does not leave; true if there are such. */
static bool take_vertices(Face *face, const Cut *cut)
{
    ptrdiff_t kept = 0, before = face->n_vertices;
    for (ptrdiff_t i = 0; i < before; i++) {
        Vertex v = face->vertices[i];
        if (left_at(cut, v.u) >= -OVERLAP) {
            face->vertices[kept++] = v;
        } else {
            face->cuts[v.one].n_vertices--;
            face->cuts[v.other].n_vertices--;
        }
    }
    face->n_vertices = kept;
    return kept < before;
}

static void set_loop(Face *face, Cut *cut, bool is_loop)
{
    face->n_loops += is_loop - cut->is_loop;
    cut->is_loop = is_loop;
}

/* Lets a cut take its part of the face.

   Its circle meets the face's bound where that is now, so only cuts with vertices or loops are looked at. A new vertex,
   though, is held against every cut that has ever taken something: one whose vertices have all gone may bound it again. */
static Status apply(Face *face, const Seen *b, double radius_a, const Cut *cut, Checkpoint *checkpoint)
{
    if (!has_room((void **)&face->cuts, &face->room_cuts, face->n_cuts + 1, sizeof *face->cuts))
        return NO_MEMORY;
    bool takes = take_vertices(face, cut), had_vertices = face->n_vertices > 0;
    ptrdiff_t own = face->n_cuts;
    Cut *new = &face->cuts[own];
    *new = *cut;
    for (ptrdiff_t i = 0; i < own; i++) {
        Cut *old = &face->cuts[i];
        Point u[2];
        if (!takes && !old->n_vertices && !old->is_loop)
            continue;
        if (is_interrupted(checkpoint, own))
            return INTERRUPTED;
        if (meet(cut, old, u)) {
            for (int j = 0; j < 2; j++) {
                if (!is_left(face, u[j], i))
                    continue;
                if (!add_vertex(face, (Vertex){u[j], i ? radius_at(b, u[j], radius_a) : HUGE_VAL, own, i}))
                    return NO_MEMORY;
                set_loop(face, old, false);
            }
        } else if (old->is_loop && any_of_circle(old, u) && left_at(cut, u[0]) < -OVERLAP) {
            set_loop(face, old, false);
            takes = true;
        }
    }
    if (!new->n_vertices) { /* then all of its circle bounds the face, or nothing of it */
        Point u;
        bool has_point = had_vertices && !face->n_loops ? middle_of_taken(cut, &u) : any_of_circle(cut, &u);
        set_loop(face, new, has_point && is_left(face, u, NOBODY));
    }
    if (takes || new->n_vertices || new->is_loop)
        face->n_cuts++;
    return DONE;
}

/* How far a face extends: a cap in which it lies, and the largest ball that touches a and b and no other. Both have their
   extremes at vertices, or on an edge where that bulges outwards between its ends. */
typedef struct {
    Cap cap;
    double reach;
    ptrdiff_t n_cuts; /* how many there were when it was measured */
} Extent;

/* The arc of a circle with two vertices. */
static Arc arc_of(const Face *face, ptrdiff_t i)
{
    const Cut *cut = &face->cuts[i];
    Point one = face->vertices[cut->ends[0]].u, other = face->vertices[cut->ends[1]].u;
    Arc arc = {.middle = times(cut->n, -cut->k / cut->n2), .normal = unit(cut->n)};
    arc.radius2 = fmax(1 - cut->k * cut->k / cut->n2, 0);
    Point towards = minus(times(plus(one, other), 0.5), arc.middle);
    if (dot(towards, towards) < 1e-20)
        towards = cross(arc.normal, minus(one, other));
    arc.outwards = unit(towards);
    if (!is_left(face, plus(arc.middle, times(arc.outwards, sqrt(arc.radius2))), i))
        arc.outwards = times(arc.outwards, -1); /* it is the longer one of the two between the vertices */
    arc.from = dot(arc.outwards, minus(one, arc.middle)) - OVERLAP;
    return arc;
}

/* Finds the arcs that bound the face, and whether that is all: circles with four vertices or none are left out. */
static Status find_arcs(Face *face)
{
    if (!has_room((void **)&face->arcs, &face->room_arcs, face->n_cuts, sizeof *face->arcs))
        return NO_MEMORY;
    for (ptrdiff_t i = 0; i < face->n_cuts; i++)
        face->cuts[i].ends[0] = face->cuts[i].ends[1] = NOBODY;
    for (ptrdiff_t i = 0; i < face->n_vertices; i++) {
        Cut *one = &face->cuts[face->vertices[i].one], *other = &face->cuts[face->vertices[i].other];
        one->ends[one->ends[0] != NOBODY] = i;
        other->ends[other->ends[0] != NOBODY] = i;
    }
    face->n_arcs = 0;
    face->is_of_arcs = face->n_vertices > 0;
    for (ptrdiff_t i = 0; i < face->n_cuts; i++) {
        const Cut *cut = &face->cuts[i];
        if (cut->n_vertices == 2)
            face->arcs[face->n_arcs++] = arc_of(face, i);
        else if (cut->n_vertices || cut->is_loop)
            face->is_of_arcs = false;
    }
    return DONE;
}

/* Whether a cut that leaves both ends of an arc takes something between them: whether k + n·u is least on the arc's
   circle within the arc, and below zero there. */
static bool takes_some_of_arc(const Arc *arc, const Cut *cut)
{
    double across = dot(cut->n, arc->normal), along2 = cut->n2 - across * across;
    double at_middle = left_at(cut, arc->middle) - OVERLAP;
    if (at_middle > 0 && at_middle * at_middle > arc->radius2 * along2)
        return false;
    double outwards = dot(cut->n, arc->outwards);
    double reached2 = arc->radius2 * outwards * outwards, needed2 = arc->from * arc->from * along2;
    return arc->from >= 0 ? outwards <= 0 && reached2 >= needed2 : outwards <= 0 || reached2 <= needed2;
}

/* Whether a cut takes something of a face whose arcs are known. */
static bool takes_some_of_face(const Face *face, const Cut *cut)
{
    Point u;
    for (ptrdiff_t i = 0; i < face->n_vertices; i++)
        if (left_at(cut, face->vertices[i].u) < OVERLAP)
            return true;
    for (ptrdiff_t i = 0; i < face->n_arcs; i++)
        if (takes_some_of_arc(&face->arcs[i], cut))
            return true;
    return middle_of_taken(cut, &u) && is_left(face, u, NOBODY);
}

static Extent extent_of(const Face *face, const Seen *b, double radius_a)
{
    Extent extent = {{{1, 0, 0}, -1, 0}, face->cuts[0].is_loop ? HUGE_VAL : 0, face->n_cuts};
    Point sum = {0, 0, 0}, u;
    for (ptrdiff_t i = 0; i < face->n_vertices; i++) {
        extent.reach = fmax(extent.reach, face->vertices[i].r);
        sum = plus(sum, face->vertices[i].u);
    }
    double cosine = 1, whole = length(sum);
    Point axis = whole > 0 ? times(sum, 1 / whole) : b->to;
    for (ptrdiff_t i = 0; i < face->n_vertices; i++)
        cosine = fmin(cosine, dot(face->vertices[i].u, axis));
    for (ptrdiff_t i = 0; i < face->n_cuts; i++) {
        const Cut *cut = &face->cuts[i];
        if (!cut->n_vertices && !cut->is_loop)
            continue;
        if (furthest_of_circle(cut, axis, &u) && dot(u, axis) < cosine && is_left(face, u, i))
            cosine = dot(u, axis);
        if (isfinite(extent.reach) && furthest_of_circle(cut, b->to, &u)) {
            double r = i ? radius_at(b, u, radius_a) : HUGE_VAL;
            if (r > extent.reach && is_left(face, u, i))
                extent.reach = r;
        }
    }
    if (whole > 0 && !is_left(face, times(axis, -1), NOBODY))
        extent.cap = (Cap){axis, cosine - OVERLAP, sine_of(cosine) + OVERLAP};
    return extent;
}

/* Lets a ball take its part of the face, if it may reach it. */
static Status apply_ball(Face *face, Extent *extent, const Seen *b, double radius_a, const Seen *c, const Cut *cut,
                         Checkpoint *checkpoint)
{
    if (face->n_cuts > extent->n_cuts) {
        *extent = extent_of(face, b, radius_a);
        if (find_arcs(face) != DONE)
            return NO_MEMORY;
    }
    double breadth = 2 * extent->reach + OVERLAP, from_b = breadth + b->s + c->s + 2 * radius_a;
    Point apart = minus(c->to, b->to);
    if (c->gap > breadth || dot(apart, apart) > from_b * from_b || !takes_some_of(&extent->cap, cut) ||
        (face->is_of_arcs && !takes_some_of_face(face, cut)))
        return DONE;
    return apply(face, b, radius_a, cut, checkpoint);
}

static void sort_by_edge(Edge *edges, ptrdiff_t n)
{
    for (ptrdiff_t i = 1; i < n; i++) {
        Edge edge = edges[i];
        ptrdiff_t j = i;
        for (; j > 0 && edges[j - 1].off > edge.off; j--)
            edges[j] = edges[j - 1];
        edges[j] = edge;
    }
}

Status find_face(Face *face, View *view, ptrdiff_t b_seen, const Ball *balls, ptrdiff_t n, ptrdiff_t a, double probe,
                 Checkpoint *checkpoint)
{
    const Seen *b = &view->of[b_seen];
    double radius_a = balls[a].radius, inverse_of_h = 1 / b->h;
    if (!has_room((void **)&face->candidates, &face->room_candidates, view->n_near, sizeof *face->candidates) ||
        !has_room((void **)&face->edges, &face->room_edges, view->n_near, sizeof *face->edges) ||
        !has_room((void **)&face->cuts, &face->room_cuts, 1, sizeof *face->cuts))
        return NO_MEMORY;
    face->n_vertices = face->n_loops = face->n_cuts = 0;
    face->cuts[face->n_cuts++] = limited_to(b, 0);
    set_loop(face, &face->cuts[0], true);

    /* The directions in which a probe would touch a and b, if nothing else stood there; who cuts these comes first. */
    double from_a = length(b->to), cosine = -limited_to(b, 1 / (radius_a + probe)).k / from_a;
    Cap probed = {times(b->to, 1 / from_a), cosine, sine_of(cosine)};
    ptrdiff_t n_first = 0, first_other = view->n_near;
    for (ptrdiff_t i = 0; i < view->n_near; i++) {
        if (i == b_seen || !(view->of[i].h > 0))
            continue;
        Cut cut = cut_by(b, inverse_of_h, &view->of[i], i);
        if (takes_some_of(&probed, &cut)) {
            double off = left_at(&cut, probed.axis);
            face->edges[n_first] = (Edge){off * fabs(off) / cut.n2, n_first};
            face->candidates[n_first++] = cut;
        } else {
            face->candidates[--first_other] = cut;
        }
    }
    if (is_interrupted(checkpoint, 10 * view->n_near + n_first * n_first))
        return INTERRUPTED;
    sort_by_edge(face->edges, n_first);
    Extent extent = {{probed.axis, -1, 0}, HUGE_VAL, 0};
    for (ptrdiff_t i = 0; i < n_first && (face->n_vertices || face->n_loops); i++) {
        const Cut *cut = &face->candidates[face->edges[i].candidate];
        Status status = apply_ball(face, &extent, b, radius_a, &view->of[cut->seen], cut, checkpoint);
        if (status != DONE)
            return status;
    }
    if (face->n_cuts > extent.n_cuts)
        extent = extent_of(face, b, radius_a);
    if (extent.reach < probe)
        return DONE;
    if (find_arcs(face) != DONE)
        return NO_MEMORY;

    for (ptrdiff_t i = first_other; i < view->n_near; i++) {
        const Cut *cut = &face->candidates[i];
        Status status = apply_ball(face, &extent, b, radius_a, &view->of[cut->seen], cut, checkpoint);
        if (status != DONE)
            return status;
    }
    if (look_further(view, balls, n, a, probe) != DONE)
        return NO_MEMORY;
    b = &view->of[b_seen];
    ptrdiff_t i = view->n_near;
    for (ptrdiff_t shell = 0; shell < N_SHELLS && probe + SHELL / 2 * (double)shell <= extent.reach; shell++)
        for (; i < view->n_near + view->shell_end[shell]; i++) {
            const Seen *c = &view->of[i];
            if (!(c->h > 0))
                continue;
            Cut cut = cut_by(b, inverse_of_h, c, i);
            Status status = apply_ball(face, &extent, b, radius_a, c, &cut, checkpoint);
            if (status != DONE)
                return status;
        }
    return DONE;
}
