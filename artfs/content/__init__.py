"""What bytes are: digests, trees and their differences. Knows nothing of catalogs, stores or mounts."""
