<?xml version="1.0"?>
<!-- A domain's definition less the alias of a hostdev and gpupart's mark: all that adopting changes. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:m="https://gpupart.org/xmlns/mark/1">
  <xsl:strip-space elements="*"/>
  <xsl:template match="@*|node()"><xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy></xsl:template>
  <xsl:template match="hostdev/alias"/>
  <xsl:template match="m:*"/>
  <xsl:template match="metadata[not(*[not(self::m:*)])]"/>
</xsl:stylesheet>
