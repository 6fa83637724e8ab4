"""No module depends on itself by way of others, inside a folder neither; the layers are import-linter's."""

from graphlib import TopologicalSorter

import grimp


def test_modules_import_in_no_circle():
    graph = grimp.build_graph("tubelet", exclude_type_checking_imports=True)
    modules = {name for name in graph.modules if not graph.find_children(name)}
    # A folder's own module gives names of those in it, which import each other by their full names.
    imports = {name: modules & graph.find_modules_directly_imported_by(name) for name in modules}
    order = list(TopologicalSorter(imports).static_order())  # raises CycleError, with the circle
    assert order.index("tubelet.errors") < order.index("tubelet.codec.encode")
