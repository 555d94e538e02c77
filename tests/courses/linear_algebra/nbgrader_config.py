"""nbgrader's configuration for this course; `autograder` reads it too.

Options: nbgrader generate_config, and https://nbgrader.readthedocs.io/en/stable/configuration/config_options.html
"""

c = get_config()

c.CourseDirectory.course_id = "linear-algebra"
c.CourseDirectory.source_directory = "notebooks"
c.Autograder.title = "Linear algebra by computer"
c.Autograder.library = "algebra_lib"
# c.Autograder.limits = {"*": {"cell_s": 30}}

# Submissions are hostile until proven otherwise: in feedback pages and in the formgrader nothing of theirs may run.
c.HTMLExporter.sanitize_html = True
c.HTMLExporter.filters = {
    "clean_html": "autograder.pages.sanitize.clean_html",
    "strip_files_prefix": "autograder.pages.sanitize.strip_files_prefix",
}

# `nbgrader autograde` and the formgrader's Autograde button grade like `autograder grade`.
c.Autograde.exporter_class = "autograder.grading.preprocessors.SubmittedNotebook"
c.Autograde.sanitize_preprocessors = ["autograder.grading.preprocessors.Repair"]
c.Autograde.autograde_preprocessors = [
    "autograder.grading.preprocessors.GradeInSandbox",
    "nbgrader.preprocessors.SaveAutoGrades",
    "autograder.grading.preprocessors.LatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
