from case.case import Case as Case
from case.markups import Markups as Markups, read_markups as read_markups, write_markups as write_markups
from case.mesh_files import read_surface as read_surface, write_surface as write_surface
from case.nifti_files import write_nifti as write_nifti
