<?xml version="1.0"?>
<!-- A domain's definition less what gpupart owns: its hostdev, its mark, and the controllers that libvirt adds for it. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:m="https://gpupart.org/xmlns/mark/1">
  <xsl:strip-space elements="*"/>
  <xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
  <xsl:template match="hostdev[starts-with(alias/@name, 'ua-gpupart-')]"/>
  <xsl:template match="m:*"/>
  <xsl:template match="metadata[not(*[not(self::m:*)])]"/>
  <xsl:template match="controller[@type='pci' and not(@model='pcie-root')]"/>
</xsl:stylesheet>
