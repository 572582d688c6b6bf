"""Which SPDX licences are share-alike, restricted or without demands where the name does not say so.

Frozen from the categories of ScanCode's LicenseDB (CC-BY-4.0, as license-expression ships it): "Copyleft" and
"Copyleft Limited", "Source-available" and "Free Restricted", "Public Domain". Frozen, so that an auditor
finds the same conflicts with whatever version of it; tests/mapping/test_licenses.py holds the two together.
"""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


SHARE_ALIKE = _names(
    """
APL-1.0 APSL-1.0 APSL-1.1 APSL-1.2 APSL-2.0 Aladdin Arphic-1999 Artistic-1.0 Artistic-1.0-Perl
Artistic-1.0-cl8 Artistic-2.0 Artistic-dist BSD-Protection BitTorrent-1.0 BitTorrent-1.1 CAL-1.0
CAL-1.0-Combined-Work-Exception CATOSL-1.1 CC-SA-1.0 CDDL-1.0 CDDL-1.1 CDL-1.0 CECILL-1.0 CECILL-1.1
CECILL-C CERN-OHL-S-2.0 CERN-OHL-W-2.0 CPAL-1.0 CPL-1.0 CUA-OPL-1.0 ClArtistic D-FSL-1.0 ErlPL-1.1
Eurosym FDK-AAC Frameworx-1.0 FreeImage GCR-docs GL2PS Glide IPA IPL-1.0 Imlib2 Interbase-1.0
LAL-1.2 LAL-1.3 LGPLLR LPL-1.0 LPL-1.02 LPPL-1.0 LPPL-1.1 LPPL-1.2 LPPL-1.3a LPPL-1.3c LiLiQ-P-1.1
LiLiQ-R-1.1 LiLiQ-Rplus-1.1 Linux-man-pages-1-para Linux-man-pages-copyleft
Linux-man-pages-copyleft-2-para Linux-man-pages-copyleft-var MakeIndex Motosoto NASA-1.3 NBPL-1.0
NGPL NOSL NPL-1.0 NPL-1.1 NPOSL-3.0 Nokia Noweb OCCT-PL OCLC-2.0 OFL-1.1 OGTSL OLDAP-1.1 OLDAP-1.2
OLDAP-1.3 OLDAP-1.4 OPL-1.0 OSET-PL-2.1 OpenPBS-2.3 PPL Parity-6.0.0 Parity-7.0.0 QPL-1.0
QPL-1.0-INRIA-2004 Qhull RHeCos-1.1 RPL-1.1 RPL-1.5 RPSL-1.0 RSCPL Ruby SMAIL-GPL SMPPL SNIA SPL-1.0
SSPL-1.0 Sendmail-8.23 SimPL-2.0 Sleepycat SugarCRM-1.1.3 TAPR-OHL-1.0 TGPPL-1.0 TMate TORQUE-1.1
TOSL TPL-1.0 UCL-1.0 URT-RLE Ubuntu-font-1.0 VOSTROM Verbatim-man-pages Vim YPL-1.0 YPL-1.1
Zimbra-1.3 Zimbra-1.4 copyleft-next-0.3.0 copyleft-next-0.3.1 gSOAP-1.3b gnuplot wxWindows
"""
)

# They forbid selling, production or competing use; for whom they do not, one says so with an OR.
NONCOMMERCIAL = _names(
    """
Aladdin BUSL-1.1 NCGL-UK-2.0 PPL SUL-1.0
"""
)

# Open to sale, but not to every use, user or country.
USE_RESTRICTIONS = _names(
    """
ASWF-Digital-Assets-1.0 ASWF-Digital-Assets-1.1 BSD-3-Clause-No-Military-License
BSD-3-Clause-No-Nuclear-License BSD-3-Clause-No-Nuclear-License-2014
BSD-3-Clause-No-Nuclear-Warranty C-UDA-1.0 CPOL-1.02 Caldera Elastic-2.0 FSL-1.1-ALv2 FSL-1.1-MIT
HPND-UC-export-US HPND-export-US HPND-export-US-acknowledgement Hippocratic-2.1 JPL-image
PolyForm-Small-Business-1.0.0 SGI-B-1.0 SISSL SISSL-1.2 SOFA Unicode-TOU Watcom-1.0
"""
)

ASKS_NOTHING = _names(
    """
ANTLR-PD-fallback CC-PDM-1.0 FSFUL LZMA-SDK-9.11-to-9.20 LZMA-SDK-9.22 NCBI-PD NIST-PD NLPL NTIA-PD
SAX-PD SAX-PD-2.0 Symlinks blessing diffmark libselinux-1.0
"""
)
